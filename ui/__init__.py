"""The only shared Streamlit glue: state, frame, widgets, charts."""
