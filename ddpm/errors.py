"""The errors that a user can cause and correct; everything else is a bug and keeps its traceback."""


class StudyError(Exception):
    """A mistake outside the code, told in one line: where it is, what is wrong, what to do.

    Args:
        what: what is wrong, in a few words.
        where: the file, parameter or cell concerned; empty when ``what`` already names it.
        hint: what the user can do about it; empty when it is obvious.
    """

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        self.what, self.where, self.hint = what, where, hint
        line = f"{where}: {what}" if where else what
        super().__init__(f"{line}; {hint}" if hint else line)
