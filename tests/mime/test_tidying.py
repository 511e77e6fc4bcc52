"""Left-over tags go, and the lines stay as they were."""

from __future__ import annotations

import pytest

from imbot.mime.tidying import readable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Решение:</div>\nЗаменили картридж.</div>\nПечать проверили.</div>", "Решение:\nЗаменили картридж.\nПечать проверили."),
        ("Одна.</div> \r\nДругая.", "Одна.\nДругая."),
        ("Одна.</div>\n<P></P>\nС уважением,</div>\nслужба поддержки", "Одна.\n\nС уважением,\nслужба поддержки"),
        ("Одна.<br>Другая.<br><br>Третья.", "Одна.\nДругая.\n\nТретья."),
        ("<p>Одна.</p><p>Другая.</p>", "Одна.\nДругая."),
    ],
)  # fmt: skip
def test_a_tag_at_the_end_of_a_line_makes_no_second_end(text: str, shown: str) -> None:
    assert readable(text) == shown
