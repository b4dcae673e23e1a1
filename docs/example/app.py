"""A small report generator that keeps more than it should.

It reads a year of orders, builds one page a day, and sends nothing anywhere. Three things are worth
finding: the cache that is never emptied, the sorted copy that makes the peak, and the pages that
are still held at the end.
"""

import random

CUSTOMERS = 400
ORDERS_A_DAY = 60

_receipts = {}


class Order:
    __slots__ = ("customer", "day", "item", "cents")

    def __init__(self, customer, day, item, cents):
        self.customer = customer
        self.day = day
        self.item = item
        self.cents = cents


def read_orders(days):
    numbers = random.Random(7)
    for day in range(days):
        for _ in range(ORDERS_A_DAY):
            item = "item-%06d" % numbers.randrange(1_000_000)
            yield Order(numbers.randrange(CUSTOMERS), day, item, numbers.randrange(100, 99_999))


def receipt(order):
    """The text of one receipt, remembered in case somebody asks again. Nobody does."""
    key = (order.customer, order.day, order.item)
    if key not in _receipts:
        _receipts[key] = f"{order.item:>20} {order.cents / 100:10.2f} EUR  day {order.day:3}"
    return _receipts[key]


def page(day, orders):
    lines = [receipt(order) for order in orders]
    return f"Day {day}\n" + "\n".join(lines)


def best_customers(orders, count):
    """Sorts a list of pairs for every order, although a few sums would do: the peak."""
    pairs = [(order.cents, f"customer {order.customer:05}: {order.item}") for order in orders]
    return sorted(pairs, reverse=True)[:count]


def main():
    orders = list(read_orders(days=365))
    pages = []
    for day in range(365):
        start = day * ORDERS_A_DAY
        pages.append(page(day, orders[start : start + ORDERS_A_DAY]))
    best = best_customers(orders, 10)
    print(f"{len(orders)} orders, {len(pages)} pages, best: {best[0][1]}")
    return pages


if __name__ == "__main__":
    report = main()
