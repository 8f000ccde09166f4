"""What all connections of one server hold together: requests nobody has taken yet, answers nobody has read yet."""


class Burden:
    """Counted in bytes. A bound per connection alone would let a thousand of them fill the memory."""

    __slots__ = ("bytes",)

    def __init__(self) -> None:
        self.bytes = 0
