"""Is it a real person, right now? Frames and network scores in, a verdict with its signals out.

A pure room: no input or output, no clock, no globals. A caller observes every frame
(``liveness.observe``), collects the scan (``liveness.collect``), tells the person what to do
(``liveness.guidance``), keeps the best frames (``liveness.selection``) and asks for the verdict
(``liveness.judge``; of single pictures ``liveness.express.judge``). Nobody outside changes it.
"""
