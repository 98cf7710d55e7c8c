#!/usr/bin/env python3
"""Lets a running server of an earlier version write a small chat: make.py http://127.0.0.1:PORT STEP

How a golden database comes to be: check out the last commit with that schema (`git log -- migrations/`), build it,
start it with an empty --data, run this, stop it with SIGTERM, `sqlite3 tertulia.db 'VACUUM'`, and keep the file here
as stepN.db, compressed with `gzip -9 -n`. It is made once, before the next step lands, and never again.
"""
import re, sys, urllib.parse, urllib.request
from http.cookiejar import CookieJar

url, step = sys.argv[1], int(sys.argv[2])
PASSWORD = "correct horse battery"


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


class Person:
    def __init__(self, name):
        self.name = name
        cookies = urllib.request.HTTPCookieProcessor(CookieJar())
        self.browser = urllib.request.build_opener(cookies, NoRedirect())
        self.sends("POST", "/signup", username=name, password=PASSWORD)

    def sends(self, method, path, **form):
        body = urllib.parse.urlencode(form).encode() if method != "GET" else None
        ask = urllib.request.Request(url + path, body, method=method)
        ask.add_header("Origin", url)
        ask.add_header("Sec-Fetch-Site", "same-origin")
        if path.split("/")[-1] not in ("signup", "rooms", "directs", "settings", "house"):
            ask.add_header("HX-Request", "true")
        try:
            return self.browser.open(ask)
        except urllib.error.HTTPError as answer:
            assert answer.code in (204, 303), f"{method} {path}: {answer.code} {answer.read()[:500]}"
            return answer

    def opens(self, path, **form):
        return int(re.search(r"/rooms/(\d+)", self.sends("POST", path, **form).headers["Location"])[1])

    def posts(self, room, body):
        Person.keys = getattr(Person, "keys", 0) + 1
        path = f"/rooms/{room}/messages"
        return int(self.sends("POST", path, body=body, key=f"golden-key-{Person.keys:06}").headers["X-Seq"])


ada, ben, carla = Person("ada"), Person("Ben Núñez"), Person("carla")
general = ada.opens("/rooms", name="General")
other = ben.opens("/rooms", name="Búsqueda & más")
chat = ada.opens("/directs", username="Ben Núñez")
for person in (ada, ben, carla):
    person.sends("GET", f"/rooms/{general}")
for n in range(1, 31):
    seq = ada.posts(general, f"Nº {n} with 'quotes', \"more\" & <b>👋</b>\nin two lines")
    if n % 3 == 0:
        mine = ben.posts(general, "mine")
        ben.sends("PUT", f"/rooms/{general}/messages/{mine}", body="mine, *better*")
    if n % 10 == 0:
        ada.sends("DELETE", f"/rooms/{general}/messages/{seq}")
ben.posts(other, "nobody has answered yet")
ada.posts(chat, "between us")
ben.sends("GET", f"/rooms/{chat}")
ben.sends("POST", f"/rooms/{chat}/read", seq=1)
carla.sends("POST", f"/rooms/{general}/read", seq=20)
if step >= 2:
    carla.sends("POST", f"/rooms/{general}/messages/5/unread")
    ben.sends("POST", f"/rooms/{general}/mute", **{"for": "week"})
    ben.sends("POST", "/settings", presence="on")
    ada.sends("POST", "/settings/house")
    dora = Person("dora")
    dora.posts(general, "I was here")
    ada.sends("POST", "/admin/people/4/ban", banned="on")
