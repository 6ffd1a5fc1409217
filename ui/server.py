"""Start Streamlit, as its command line does.

Beside a folder `pages` it takes up its old scheme of pages until `st.navigation` has run once: a fresh server would answer its first deep link with "Page not
found".
"""

from streamlit.runtime.pages_manager import PagesManager
from streamlit.web.cli import main

if __name__ == "__main__":
    PagesManager.uses_pages_directory = False
    main()
