"""Coroutines and async generators, driven by asyncio and by hand."""
import asyncio
from stackcheck import finish, hold, keep, note


async def leaf(size):
    keep([None] * note(size))
    await asyncio.sleep(0)
    keep([None] * note(size + 1))


async def middle(size):
    await leaf(size)
    hold(size + 2)
    await asyncio.gather(leaf(size + 10), leaf(size + 20))


class Context:
    async def __aenter__(self):
        keep([None] * note(2000))
        await asyncio.sleep(0)
        keep([None] * note(2001))

    async def __aexit__(self, *_):
        keep([None] * note(2002))


async def numbers(count):
    for number in range(count):
        keep([None] * note(3000 + number))
        await asyncio.sleep(0)
        yield number
        keep([None] * note(3100 + number))


async def walk(depth):
    if depth:
        async for value in walk(depth - 1):
            yield value
        hold(3500 + depth)
        yield depth


async def comprehensions():
    [keep([None] * note(3200 + n)) async for n in numbers(2)]
    {n: keep([None] * note(3300 + n)) async for n in numbers(2)}
    async for n in (m async for m in numbers(2)):
        keep([None] * note(3400 + n))


async def main():
    await middle(1000)
    async with Context():
        keep([None] * note(2003))
    async for number in numbers(3):
        hold(2100 + number)
    async for _ in walk(8):
        pass
    await comprehensions()
    tasks = [asyncio.ensure_future(middle(4000 + 100 * n)) for n in range(3)]
    await asyncio.gather(*tasks)
    asyncio.get_running_loop().call_soon(hold, 4900)
    await asyncio.sleep(0)


asyncio.run(main())


class Awaitable:
    def __await__(self):
        keep([None] * note(5000))
        yield
        keep([None] * note(5001))


async def by_hand():
    keep([None] * note(5002))
    await Awaitable()
    keep([None] * note(5003))


coroutine = by_hand()
coroutine.send(None)
try:
    coroutine.send(None)
except StopIteration:
    hold(5004)
finish()
