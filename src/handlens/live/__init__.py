"""What `watch` keeps and offers beside the alarm: settings, history, calibration, early warning, start at login, page.

Nothing here may delay the loop: what writes or serves does so in a thread of its own; the loop itself knows none of it.

session     pause, snooze and the settings, for threads         gate        whether the alarm may sound now
source      the source that pauses, slows down and changes      resting     the detector sleeps while nobody is there
feed        the newest frame for the pages, never a queue       commands    what a page may ask for, checked
desk        carries out what a page asks for                    server      the page on 127.0.0.1
points      what each position of the slider means, measured    page/       the page: HTML, CSS and JavaScript modules
"""
