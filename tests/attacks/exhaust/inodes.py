"""Makes as many files and folders in the workspace as its time allows."""

import os
import time

end = time.time() + 2.5
number = 0
while time.time() < end and number < 100_000:
    os.mkdir(f"d{number}")
    for each in range(100):
        os.close(os.open(f"d{number}/{each}", os.O_CREAT | os.O_WRONLY))
    number += 100
