"""Every scenario plays as it is written; and the interpreter says where and why when one does not."""

from pathlib import Path

import pytest

from tests.scenarios.run import GRAMMAR, Wrong, run

FOLDER = Path(__file__).parent
SCENARIOS = sorted(FOLDER.glob("*.txt"))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem)
def test_the_story_ends_as_written(scenario: Path) -> None:
    """Each file is one story, in its own words; the simulator's oracle watches every step of it."""
    run(scenario)


WRONG = {
    "pay P1 100.00 EUR northbank → SETTLED": r"story.txt:1: .* → ACCEPTED, not SETTLED",
    "# a comment\n\nbank northbank dances": r"story.txt:3: .*allowed: .*MISDEED: .*drops reply",
    "dance": r"story.txt:1: .*allowed: .*expect.*pay",
    "set northbank colour blue": r"story.txt:1: .*KEY: .*visibility_s",
    "pay P1 1.00 EUR northbank → ACCEPTED\nexpect P1 ACCEPTED booked 2": r"story.txt:2: P1: booked is 1, not 2",
    "pay P1 1.00 EUR northbank → ACCEPTED\nexpect P1 ACCEPTED weight 2": r"story.txt:2: weight cannot be expected",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_story_is_told_with_its_line(text: str, tmp_path: Path) -> None:
    """File, line, what was found, and what is allowed there."""
    story = tmp_path / "story.txt"
    story.write_text(text)
    with pytest.raises(Wrong, match=WRONG[text].replace("\n", "")):
        run(story)


def test_every_shape_of_the_grammar_is_used() -> None:
    """What no scenario uses has no reader."""
    text = "\n".join(path.read_text() for path in SCENARIOS)
    verbs = {shape.split()[0] for shape in GRAMMAR}
    assert verbs <= {line.split()[0] for line in text.splitlines() if line.strip()}
