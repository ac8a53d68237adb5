"""Ids of runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from luthier.store.naming import id_at, next_moment

moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(
    lambda moment: moment.replace(tzinfo=UTC)
)


@given(moments, moments)
def test_ids_are_sorted_as_their_moments(one: datetime, other: datetime) -> None:
    early, late = sorted([one, other])
    assert id_at(early) <= id_at(late)


@given(moments)
def test_the_next_tick_has_another_id_of_the_same_length(moment: datetime) -> None:
    after = next_moment(moment)
    assert id_at(moment) < id_at(after)
    assert id_at(after - timedelta(microseconds=1)) == id_at(moment)
    assert len(id_at(moment)) == 15


@given(moments)
def test_the_zone_does_not_matter(moment: datetime) -> None:
    elsewhere = moment.astimezone(timezone(timedelta(hours=-7)))
    assert id_at(elsewhere) == id_at(moment)
