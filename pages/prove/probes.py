from ui import evidence, probes
from ui.widgets import beside, head, need_dataset

head("Probes", "What are these rows worth? Small, cheap trainings tell before the large one is paid for.")
need_dataset()
controls, picture = beside("probes", 1, 3)
with controls:
    probes.start()
with picture:
    run = probes.chosen()
    evidence.watch(run)
    if run is not None:
        evidence.found(run)
        evidence.pictures(run)
if run is not None:
    evidence.table(run)
    evidence.record(run)
