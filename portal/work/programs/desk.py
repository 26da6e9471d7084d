class ProgramDesk:
    pass
