"""placeholder"""


def write(file, journey, seconds): ...
