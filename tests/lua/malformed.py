"""What a careless or hostile caller sends instead of a number, an id or a position."""

_NUMBERS = {
    "empty": "",
    "negative": "-1",
    "negative zero": "-0",
    "signed": "+1",
    "fraction": "1.5",
    "nan": "nan",
    "inf": "inf",
    "hexadecimal": "0x10",
    "exponent": "1e3",
    "spaces": " 5 ",
    "line end": "5\n",
    "NUL": "5\0",
    "underscore": "1_000",
    "2**63": str(2**63),
    "Arabic digit": "\u0663",
    "wide digit": "\uff11",
    "word": "five",
}

#: No quantity of one order or one restock, which is 1 to 999999.
QUANTITIES = _NUMBERS | {"zero": "0", "leading zero": "05", "seven digits": "1000000"}

#: No time, duration, limit or amount of stock, which have up to 13 digits.
COUNTS = _NUMBERS | {"14 digits": "1" * 14}

#: No SKU, and no id of a restock.
IDS = {
    "empty": "",
    "space": "a b",
    "leading space": " a",
    "trailing space": "a ",
    "opening brace": "a{b",
    "closing brace": "a}b",
    "colon": "a:b",
    "slash": "a/b",
    "quote": 'a"b',
    "backslash": "a\\b",
    "comma": "a,b",
    "line end": "a\n",
    "carriage return": "a\r",
    "NUL": "a\0b",
    "escape": "\x1b[2J",
    "300 characters": "a" * 300,
    "letter with accent": "é",
    "emoji": "🦙",
    "leading dash": "-a",
    "leading dot": ".a",
}

BUYERS = IDS | {"any buyer": "-", "129 characters": "a" * 129}

#: No actor: it may hold ':' and '/', and up to 64 characters.
ACTORS = {name: text for name, text in IDS.items() if name not in {"colon", "slash"}} | {
    "65 characters": "a" * 65
}

#: No order id: SHARD-TOKEN, up to 52 characters.
ORDER_IDS = IDS | {
    "no shard": "abcdefgh",
    "shard only": "0",
    "empty token": "0-",
    "shard of four digits": "1000-abcdefgh",
    "dot": "0-abc.defgh",
    "53 characters": "0-" + "a" * 51,
}

#: No position.
FENCES = {
    "empty": "",
    "one number": "5",
    "no seq": "1-",
    "no epoch": "-1",
    "signed": "1--1",
    "fraction": "1-1.5",
    "hexadecimal": "0x1-1",
    "space": "1-1 ",
    "line end": "1-1\n",
    "three numbers": "1-1-1",
    "word": "START",
    "infinite": "1-+",
    "epoch of 21 digits": "9" * 21 + "-1",
    "seq of 400 digits": "1-" + "9" * 400,
}
