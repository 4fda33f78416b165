"""Reads a calendar from standard input with the icalendar library, strictly, and prints its entries as JSON."""

import json
import sys
from datetime import datetime

from icalendar import Calendar

data = sys.stdin.buffer.read()
calendar = Calendar.from_ical(data)


def told(component):
    if component.errors:
        raise SystemExit(f"errors in {component.name}: {component.errors}")
    for part in component.subcomponents:
        told(part)


told(calendar)
if calendar.to_ical().count(b"BEGIN:VEVENT") != data.count(b"BEGIN:VEVENT"):
    raise SystemExit("an entry was lost")


def entry(event):
    start = event.decoded("dtstart")
    return {
        "uid": str(event["uid"]),
        "start": start.isoformat(),
        "whole_day": not isinstance(start, datetime),
        "minutes": int((event.end - event.start).total_seconds() // 60),
        "summary": str(event["summary"]),
        "description": str(event["description"]),
        "url": str(event["url"]),
    }


print(json.dumps({"name": str(calendar["x-wr-calname"]), "entries": [entry(event) for event in calendar.walk("VEVENT")]}))
