class ProgramDesk: pass
