from dashboard.live.memory import Memory


def test_the_newest_entries_are_kept():
    memory: Memory[str, int] = Memory(2)
    for number, key in enumerate("aba"):
        memory.keep(key, number)
    memory.keep("c", 3)
    assert dict(memory) == {"a": 2, "c": 3}
    assert len(memory) == 2
    assert "b" not in memory
    assert memory.get("b") is None
