"""Read the header Retry-After (RFC 9110, 10.2.3): seconds, or a date."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_SECONDS = re.compile(r"[0-9]{1,300}(\.[0-9]{0,300})?", re.ASCII)  # a decimal fraction is not in the RFC, but is sent


def seconds_asked(headers: Mapping[str, str], now: datetime | None = None) -> float:
    """Return the seconds that a response asks to wait: 0.0 if it asks for none, for a past moment, or in another form.

    A date is compared with the response's own date if it has one, because the clocks of two machines may differ.
    """
    asked = headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(asked):
        return float(asked)
    moment = _date(asked)
    if moment is None:
        return 0.0
    start = _date(headers.get("Date", "")) or now or datetime.now(UTC)
    seconds = (moment - start).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else 0.0


def _date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, LookupError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
