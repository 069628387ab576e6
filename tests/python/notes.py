"""Signed notes, checkpoints, proof files, policies and the trust file: docs/spec/log.md and trust.md."""

import re

import ed25519
from formats import Refused, U64, Unjudged, require, sha256, unbase64, verify_inclusion

TRUST_BYTES_MAX = 4 << 20
NAME = re.compile(r"[^\s+\x00-\x1f]+")


def is_name(text):
    return NAME.fullmatch(text) is not None


def decimal(text):
    require(re.fullmatch("0|[1-9][0-9]{0,19}", text) and int(text) < U64, "not a decimal number")
    return int(text)


def hash_of(text):
    data = unbase64(text)
    require(len(data) == 32, "not a hash")
    return data


class Key:
    """A verifier key: name, type byte, public bytes."""

    def __init__(self, vkey, kind):
        parts = vkey.split("+", 2)
        require(len(parts) == 3 and is_name(parts[0]), "a vkey is name+id+base64")
        typed = unbase64(parts[2])
        require(typed[:1] == bytes([kind]) and ed25519.is_registrable(typed[1:]), "the key or its type")
        self.name, self.kind, self.public = parts[0], kind, typed[1:]
        self.id = sha256(self.name.encode(), b"\n", typed)[:4]
        require(parts[1] == self.id.hex(), "the key id")

    def time_of(self, text, payload):
        """The time of a valid line (0 for a log's); raises if the signature is wrong."""
        time, signature, message = 0, payload, text.encode()
        if self.kind == 4:
            time, signature = int.from_bytes(payload[:8], "big"), payload[8:]
            message = f"cosignature/v1\ntime {time}\n{text}".encode()
        require(ed25519.verify_strict(self.public, message, signature), f"the signature by {self.name} is wrong")
        return time


class Note:
    """A checkpoint note: text, lines of (name, key id, payload), origin, size, root."""

    def __init__(self, note):
        require(len(note.encode()) <= 262_144, "the note is too large")
        require(not re.search(r"[\x00-\x09\x0b-\x1f]", note), "a control character")
        head, empty, tail = note.rpartition("\n\n")
        require(empty and tail.endswith("\n"), "a note is a text, an empty line and signature lines")
        self.text, self.lines = head + "\n", []
        for line in tail[:-1].split("\n"):
            found = re.fullmatch("— ([^ ]+) ([^ ]+)", line)
            require(found and is_name(found[1]), "a signature line")
            data = unbase64(found[2])
            require(len(data) > 4, "a signature line")
            self.lines.append((found[1], data[:4], data[4:]))
        require(len(self.lines) <= 256, "too many lines")
        lines = self.text.split("\n")
        require(len(lines) == 4 and lines[3] == "" and lines[0], "a checkpoint has three lines")
        self.origin, self.size, self.root = lines[0], decimal(lines[1]), hash_of(lines[2])


class Proof:
    """A proof file: index, path, note."""

    def __init__(self, text):
        require(len(text.encode()) <= 524_288, "the proof is too large")
        head, empty, note = text.partition("\n\n")
        lines = head.split("\n")
        require(empty and lines[0] == "c2sp.org/tlog-proof@v1", "not a proof file")
        require(len(lines) >= 2 and lines[1].startswith("index "), "no index")
        self.index = decimal(lines[1][len("index "):])
        self.path = [hash_of(line) for line in lines[2:]]
        require(len(self.path) <= 64, "the path is too long")
        self.note = Note(note)

    def verify(self, leaf):
        verify_inclusion(leaf, self.index, self.note.size, self.path, self.note.root)


class Policy:
    """Log keys, witnesses and groups in order, and the quorum's name."""

    def __init__(self, lines, origin):
        self.logs, self.members, self.quorum = [], {}, None
        taken, text = set(), "\n".join(lines) + "\n"
        require(len(text.encode()) <= 65_536 and not re.search("[\x00-\x08\x0b-\x1f\x7f]", text), "a policy's text")
        for line in lines:
            words = line.split(" ")
            require(all(words) and self.quorum is None, "a line after the quorum, or spaces")
            url = {"log": words[2:3], "witness": words[3:4]}.get(words[0], [])
            require(all(re.fullmatch("[!-~]+", text) for text in url), "a URL")
            if words[0] == "log" and len(words) in (2, 3) and not self.members:
                self.logs.append(Key(words[1], 1))
            elif words[0] == "witness" and len(words) in (3, 4):
                self.define(words[1], Key(words[2], 4))
            elif words[0] == "group" and len(words) > 3:
                of = words[3:]
                require(all(name in self.members for name in of), "a member that is not defined")
                require(len(set(of)) == len(of) and not taken & set(of), "a member of two groups")
                require(1 <= decimal(words[2]) <= len(of), "a threshold")
                taken |= set(of)
                self.define(words[1], (int(words[2]), of))
            else:
                require(words[0] == "quorum" and len(words) == 2 and words[1] in self.members, "a policy line")
                self.quorum = words[1]
        require(self.quorum is not None, "no quorum")
        require(1 <= len(self.logs) <= 64 and len(self.members) <= 128, "logs and members")
        require(all(key.name == origin for key in self.logs), "a log key is not named by the origin")
        self.keys = [member for member in self.members.values() if isinstance(member, Key)]
        for keys in (self.logs, self.keys):
            require(len({key.public for key in keys}) == len(keys), "a key stands twice")
        every = self.logs + self.keys
        require(len({(key.name, key.id) for key in every}) == len(every), "two keys share name and key id")

    def define(self, name, member):
        require(name not in self.members and name != "none" and is_name(name), "a member's name")
        self.members[name] = member

    def judge(self, note, is_open=False, known=()):
        """(as of, names of the signers) of a note under the quorum. `is_open`: a newer set may have signed it."""
        times = {}
        for name, key_id, payload in note.lines:
            for key in self.logs + self.keys:
                if (key.name, key.id) == (name, key_id):
                    times[key] = max(times.get(key, 0), key.time_of(note.text, payload))
                    break
        signed_by_log = any(key in times for key in self.logs)
        support = self.support(self.quorum, times) if signed_by_log else None
        if support is None and is_open and any(line[:2] not in known for line in note.lines):
            raise Unjudged("VALIDATORS_UNKNOWN", "a key that is not in the trust file has signed")
        require(signed_by_log, "the log has not signed")
        require(support is not None, "no quorum")
        return support[0], [name for name in self.members if name in support[1]]

    def support(self, name, times):
        """The freshest sufficient set: its smallest time and its witnesses' names."""
        member = self.members[name]
        if isinstance(member, Key):
            return (times[member], [name]) if member in times else None
        threshold, of = member
        ready = [found for found in (self.support(other, times) for other in of) if found]
        ready = sorted(ready, key=lambda found: -found[0])[:threshold]
        if len(ready) < threshold:
            return None
        return ready[-1][0], [witness for found in ready for witness in found[1]]


class Trust:
    """A trust file."""

    def __init__(self, text):
        require(len(text.encode()) <= TRUST_BYTES_MAX and text.endswith("\n"), "the trust file")
        lines = text[:-1].split("\n")
        require(lines.pop(0) == "tallystick/trust/v1", "not a trust file")

        def value(keyword):
            require(lines and lines[0].startswith(keyword + " "), keyword)
            return lines.pop(0)[len(keyword) + 1:]

        chain, self.name = value("chain"), value("name")
        self.is_test = lines[:1] == ["test"]
        if self.is_test:
            lines.pop(0)
        self.origin = value("origin")
        require(re.fullmatch("[0-9a-f]{64}", chain) and is_name(self.name) and is_name(self.origin), "chain")
        require(not re.search("[\x7f-\x9f]", self.name + self.origin), "a control character")
        self.chain = bytes.fromhex(chain)
        offset = value("utc-offset-minutes")
        require(re.fullmatch("0|-?[1-9][0-9]{0,2}", offset) and abs(int(offset)) <= 840, "offset")
        self.offset = int(offset)
        require(value("suite") == "1", "the chain runs on a suite that is not known here")
        self.authorities = []
        while lines and lines[0].startswith("authorities "):
            first, keys = decimal(value("authorities")), []
            while lines and lines[0].startswith("authority "):
                keys.append(unbase64(value("authority")))
            threshold = decimal(value("authority-threshold"))
            require(len(set(keys)) == len(keys) <= 64 and 1 <= threshold <= len(keys), "authorities")
            require(all(ed25519.is_registrable(key) for key in keys), "an authority's key")
            require(first > self.authorities[-1][0] if self.authorities else first == 0, "authorities follow each other")
            self.authorities.append((first, keys, threshold))
        require(self.authorities, "no authorities")
        self.sets, expected = [], 1
        while lines:
            require(lines.pop(0) == "", "an empty line before each set")
            words = value("validators").split(" ")
            is_open = words[1:2] == ["open"]
            require(len(words) == (3 if is_open else 4) and re.fullmatch("[0-9a-f]{64}", words[-1]), "validators")
            first = decimal(words[0])
            last, until = (None, None) if is_open else (decimal(words[1]), decimal(words[2]))
            require(first == expected and (last is None or first <= last), "sets follow each other")
            expected = None if last is None else last + 1
            policy = []
            while lines and lines[0]:
                policy.append(lines.pop(0))
            self.sets.append((first, last, until, bytes.fromhex(words[-1]), Policy(policy, self.origin)))
        require(self.sets, "no validator set")

    def authorities_at(self, leaf):
        """(keys, threshold, whether these are the newest) of the authorities of a leaf; without one, the newest."""
        known = [row for row in self.authorities if leaf is None or row[0] <= leaf]
        return known[-1][1], known[-1][2], len(known) == len(self.authorities)

    def judge(self, note):
        """(as of, signers, set hash) of a checkpoint note."""
        require(note.origin == self.origin, "another log")
        known = {(key.name, key.id) for *_, policy in self.sets for key in policy.logs + policy.keys}
        for first, last, until, set_hash, policy in self.sets:
            if first <= note.size and (last is None or note.size <= last):
                as_of, signers = policy.judge(note, last is None, known)
                return as_of if until is None else min(as_of, until), signers, set_hash
        if note.size > 0:
            raise Unjudged("VALIDATORS_UNKNOWN", "the trust file ends before this size")
        raise Refused("no validator set for this size")

    def judge_exactly(self, note):
        """The same, with exactly the lines that this takes."""
        as_of, signers, set_hash = self.judge(note)
        require(len(note.lines) == 1 + len(signers), "lines that nobody answers for, or too few")
        return as_of, signers, set_hash
