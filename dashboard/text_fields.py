"""A field for text of several lines; it must not know what is written in it."""

from __future__ import annotations

from django import forms


class LinesField(forms.CharField):
    """Browsers count a line break as one character and send two: here it is one again."""

    def to_python(self, value: str | None) -> str:
        text: str = super().to_python(value)
        return text.replace("\r\n", "\n").replace("\r", "\n")
