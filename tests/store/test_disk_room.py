"""Claims about asking the disk: rarely where there is plenty, every time where there is not."""

from gateway.store.disk_room import LOOK_S, PLENTY, DiskRoom

RESERVE_BYTES = 1_000


class Disk:
    def __init__(self) -> None:
        self.free = PLENTY * RESERVE_BYTES
        self.asked = 0
        self.now_s = 0.0

    def room(self) -> DiskRoom:
        return DiskRoom(self.look, RESERVE_BYTES, lambda: self.now_s)

    def look(self) -> int:
        self.asked += 1
        return self.free


def test_plenty_is_asked_about_once_in_a_while() -> None:
    """A thousand instructions within LOOK_S are one question, and the next one comes after it."""
    disk = Disk()
    room = disk.room()
    assert all(room.there() for _ in range(1_000))
    assert disk.asked == 1
    disk.now_s, disk.free = LOOK_S, RESERVE_BYTES - 1
    assert not room.there()


def test_near_the_reserve_every_question_is_asked() -> None:
    """The last byte above the reserve is room, the first below it is none, and room that comes back is seen at once."""
    disk = Disk()
    room = disk.room()
    for free, there in ((RESERVE_BYTES, True), (RESERVE_BYTES - 1, False), (PLENTY * RESERVE_BYTES - 1, True)) * 2:
        disk.free = free
        assert room.there() is there
    assert disk.asked == 6
