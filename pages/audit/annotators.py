from ui import annotators, ratings
from ui.widgets import beside, head, need_dataset

head("Annotators", "How far do the people who rated these rows agree, and whose ratings can be relied on?")
need_dataset()
ratings.long_form()
given = annotators.need_ratings()
annotators.facts(given)
left, right = beside("agreement", 3, 2)
with left:
    annotators.agreements(given)
with right:
    annotators.prevalence(given)
annotators.people(given)
annotators.disputed(given)
