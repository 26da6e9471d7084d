"""Changes of Go code."""

from __future__ import annotations

from labs.mutation.go import changes

CODE = """\
package pool

import "sync"

// Map is 3 < 4.
func Map(limit int) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	mu.Lock()
	jobs := make(chan int, 8)
	for i := 0; i < limit && !done; i++ {
		if i == 5 {
			continue
		}
		jobs <- i
	}
	total += 2
	close(jobs)
	log.Printf("a < b %d", 7)
	if err != nil {
		return fmt.Errorf("got %d > 3", 4)
	}
	time.Sleep(3 * time.Second)
	return err
}
"""


UNTOUCHED = (
    'log.Printf("a < b %d", 7)', 'return fmt.Errorf("got %d > 3", 4)', "// Map is 3 < 4.", 'import "sync"', "package pool",
)  # fmt: skip


def changed_lines() -> set[tuple[str, str]]:
    """The line before and after, for each change."""
    found = set()
    for change in changes(CODE):
        pairs = [
            (old.strip(), new.strip())
            for old, new in zip(CODE.split("\n"), change.apply(CODE).split("\n"), strict=True)
            if old != new
        ]
        assert len(pairs) == 1, change
        found.add(pairs[0])
    return found


def test_a_mistake_is_made_in_each_place() -> None:
    made = changed_lines()
    loop = "for i := 0; i < limit && !done; i++ {"
    assert {
        ("defer wg.Wait()", ""),
        ("defer wg.Wait()", "wg.Wait()"),
        ("mu.Lock()", ""),
        ("jobs := make(chan int, 8)", "jobs := make(chan int, 9)"),
        (loop, loop.replace("<", "<=")),
        (loop, loop.replace("&&", "||")),
        (loop, loop.replace("!done", "done")),
        (loop, loop.replace("i++", "i--")),
        ("if i == 5 {", "if i != 5 {"),
        ("continue", "break"),
        ("continue", ""),
        ("jobs <- i", ""),
        ("total += 2", "total -= 2"),
        ("total += 2", ""),
        ("close(jobs)", ""),
        ("if err != nil {", "if err == nil {"),
        ("return err", "return nil"),
    } <= made


def test_what_only_people_read_is_left_alone() -> None:
    assert not [before for before, _ in changed_lines() if before in UNTOUCHED]
    assert ("time.Sleep(3 * time.Second)", "time.Sleep(4 * time.Second)") not in changed_lines()
