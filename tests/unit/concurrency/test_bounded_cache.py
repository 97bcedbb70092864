from concurrent.futures import ThreadPoolExecutor

from dashboard.concurrency.bounded_cache import BoundedCache


def test_the_newest_entries_are_kept():
    cache: BoundedCache[str, int] = BoundedCache(2)
    for number, key in enumerate("aba"):
        cache.keep(key, number)
    cache.keep("c", 3)
    assert dict(cache) == {"a": 2, "c": 3}
    assert len(cache) == 2
    assert "b" not in cache
    assert cache.get("b") is None


def test_what_is_read_outlasts_what_is_not():
    cache: BoundedCache[str, int] = BoundedCache(2)
    cache.keep("a", 1)
    cache.keep("b", 2)
    assert cache["a"] == 1
    cache.keep("c", 3)
    assert list(cache) == ["a", "c"], "in the order in which they were stored"


def test_what_is_weighed_is_kept_up_to_a_weight():
    cache: BoundedCache[str, str] = BoundedCache(10, weigh=lambda _key, value: len(value))
    cache.keep("a", "xxxx")
    cache.keep("b", "xxxxx")
    cache.keep("a", "xxxxx")
    assert cache.weight == 10
    cache.keep("c", "x")
    assert dict(cache) == {"a": "xxxxx", "c": "x"}, "the one kept longest ago went"
    cache.keep("a", "x" * 11)
    assert (dict(cache), cache.weight) == ({"c": "x"}, 1), "and one that is too heavy takes no other's place"
    cache.forget("c")
    cache.forget("c")
    assert (len(cache), cache.weight) == (0, 0)


def test_entries_expire_and_leave_nothing_behind():
    now = [0.0]
    cache: BoundedCache[str, str] = BoundedCache(10, lambda _key, value: len(value), ttl=5, clock=lambda: now[0])
    cache.keep("a", "xxxx")
    now[0] = 4.0
    cache.keep("b", "xxxx")
    cache.forget("c")
    assert list(cache) == ["a", "b"]
    now[0] = 5.0
    assert (cache.get("a"), cache.get("b")) == (None, "xxxx")
    assert (list(cache), len(cache), cache.weight) == (["b"], 1, 4)
    cache.forget("a")
    cache.keep("a", "x")
    now[0] = 9.0
    assert dict(cache) == {"a": "x"}


def test_many_threads_may_use_it():
    cache: BoundedCache[int, int] = BoundedCache(10, ttl=0.001)

    def use(number: int) -> int:
        cache.keep(number % 20, number)
        cache.forget((number + 7) % 20)
        return sum(cache.get(key) is not None for key in cache) + cache.weight

    with ThreadPoolExecutor(8) as pool:
        assert max(pool.map(use, range(4_000))) <= 20
    assert len(cache) <= 10
