"""One form of a reply for all readers: the same signs, no reasoning block, no markup, cut into sentences.

A line break ends a sentence as a full stop does. Tags, LaTeX boxes and answer fields of JSON become sentences of their
own that are marked as answers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from medq_deg.storable import compose

HEAD: Final = 4_000
TAIL: Final = 12_000
"""What is read of a reply that is longer than both, in characters; an answer stands first or last."""

_MOST_SENTENCES = (100, 300)
_LONGEST_SENTENCE = 1_500

# Full-width forms are how Chinese and Japanese texts write the same letters; NFKC would also flatten superscripts.
_SAME: dict[int, str | None] = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
_SAME |= {ord(invisible): None for invisible in "\u200b\u200c\u200d\u2060\ufeff\u00ad\u20dd\ufe0f"}
_SAME |= {ord(quote): "'" for quote in "’‘‛′`´"} | {ord(quote): '"' for quote in "“”„‟″«»"}
_SAME |= {ord(dash): "-" for dash in "‐‑‒–—―−﹣"} | {ord("µ"): "μ", ord("∙"): "⋅", ord("·"): "⋅", ord("，"): ", "}
_SAME |= {ord("。"): "。 ", ord("："): ": "}
# Control characters, lone surrogates, private use (where the signs of options are put), and ornaments such as check
# marks, but for crosses, which say no.
_NO_TEXT = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff\ue000-\uf8ff\u2600-\u2715\u2719-\u274b\u274d-\u27bf\U0001f300-\U0001f6aa\U0001f6ac-\U0001faff]"
)

_BLOCK = r"(?:think|thinking|thought|reasoning|reason|analysis)"
_REASONING_START = re.compile(rf"<{_BLOCK}>|\[THINK\]|◁think▷|<unused94>|<\|channel\|>", re.IGNORECASE)
_REASONING_END = re.compile(
    rf"</{_BLOCK}>|\[/THINK\]|◁/think▷|<unused95>|<\|channel\|>final<\|message\|>", re.IGNORECASE
)
# What a chat template puts around an answer.
_TURN_START = re.compile(r"\s*(?:(?:<s>|<\|im_start\|>|<start_of_turn>)\s*)?(?:(?:assistant|model)\s*[:\n]\s*)?", re.I)
_TURN_END = re.compile(r"</s>|<eos>|<end_of_turn>|<\|(?:im_end|eot_id|end|return|endoftext)\|>")

_OPEN, _CLOSE = "\x02", "\x03"
_TAG_OPEN = re.compile(r"<(?:final[_ ]?)?answer>|<\|begin_of_box\|>", re.IGNORECASE)
_TAG_CLOSE = re.compile(r"</(?:final[_ ]?)?answer>|<\|end_of_box\|>", re.IGNORECASE)
_HTML = re.compile(r"</?(b|i|em|strong|u|p|span|div|center|code|mark)>", re.IGNORECASE)
_BRACKETS = re.compile(r"<(\w[^<>\n]{0,80}?)(?<=\w)>")
_BRACES = re.compile(r"\\f?boxed\s*\{|[{}]")
_FIELD = re.compile(
    r"""(?<!\w)["'](?:(?:final|correct|predicted|selected|chosen|best|your|my)[_ -]?)?"""
    r"""(?:answer|choice|option|letter|prediction)(?:[_ ](?:letter|choice|option|text|key))?["']\s*:\s*"""
    r"""(?:(?P<quote>["'])(?P<quoted>(?:(?!(?P=quote))[^\n]){0,300})(?P=quote)|(?P<bare>[^"'\s]{1,300}))""",
    re.IGNORECASE,
)
_LATEX_WRAPPER = re.compile(
    r"\\(?:text(?:bf|it|rm|tt|sf)?|math(?:rm|bf|sf|it)?|mbox|bf|bm|boldsymbol|operatorname)\s*\{([^{}]*)\}"
)
_LATEX_SPACE = re.compile(r"\\[()\[\]]|\\[,;:!](?=[^\w]|\s|\w)|\\(?:q?quad|displaystyle|left|right)(?![a-z])|\$\$")
_ESCAPE = re.compile(r"\\(?=[_%&#$*])")
# Emphasis stands at the edge of a word; inside one ("2*3", "x_1") the same signs mean something.
_MARKUP = re.compile(
    r"(?<![^\W_])[*_`$#]+|[*_`$]+(?![^\W_])|^(?:[-•>|+]\s+)*(?:\d{1,2}[.)]\s+(?=\S+\s+\S+\s+\S))?|```\w*", re.MULTILINE
)
# A sign of an option (`match`) is a letter of Unicode's private use. A full stop after one that opens a sentence, or
# after an abbreviation, ends none; "Wait, no" starts one anywhere.
_SENTENCE_END = re.compile(
    r"(?<!\b[A-Za-z]\.)(?<!\be\.g\.)(?<!\bi\.e\.)(?<!\bvs\.)(?<!\b[Aa][Nn][Ss]\.)(?<![\ue000-\ue01f]\.)(?<=[.!?。])\s+"
    r"|(?<=[^\n.] [\ue000-\ue01f]\.)\s+|(?<=[\ue000-\ue01fa-z]\.)\s+(?=\W*(?:[\ue000-\ue05f]|(?:the |my )?(?:final "
    r"|correct |best )*answer\b))"
    r"|(?<![\s,;(-])[\s,;(-]{1,6}(?=(?:no\W+)?(?:wait|actually(?=,)|correction|scratch that|hold on"
    r"|on (?:second thoughts?|reflection)|oops|sorry"
    r"|hmm+)\b)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Sentence:
    """A sentence, what stands before it on its line, and whether tags, a box or a field mark it as the answer."""

    text: str
    lead: str = ""
    marked: bool = False


def normalise(text: str) -> str:
    """Return the text with one form of each letter, dash, quote and space, and without empty lines."""
    return tidy(_NO_TEXT.sub(" ", compose(text)).translate(_SAME))


def tidy(text: str) -> str:
    """Return the text with single spaces and without empty lines: a pattern would try each space of many in a row."""
    return "\n".join(" ".join(line.split()) for line in text.splitlines() if line.strip())


def plain(text: str) -> str:
    """Return the text without LaTeX wrappers and markup."""
    for _ in range(2):
        text = _LATEX_WRAPPER.sub(r"\1", text)
    return _MARKUP.sub("", _ESCAPE.sub("", _LATEX_SPACE.sub(" ", text))).strip()


def read_part(text: str) -> tuple[str, bool]:
    """Return what is the reply itself, and whether it is an unclosed block of reasoning, whose end alone may answer."""
    # A block whose start was part of the prompt ends without having begun.
    start = _REASONING_START.search(text)
    if ends := [match.end() for match in _REASONING_END.finditer(text)]:
        rest = text[ends[-1] :]
        text = rest if rest.strip() or not start else text[: start.start()]
        start = _REASONING_START.search(text)
    said = text[start.end() :] if start else text
    return _bounded(_TURN_END.split(_TURN_START.sub("", said, count=1), maxsplit=1)[0]), start is not None


def _bounded(text: str) -> str:
    """Return whole sentences of the head and the tail of a long text, with one between that says nothing."""
    if len(text) <= HEAD + TAIL:
        return text
    head, tail = text[:HEAD], text[-TAIL:]
    ends = [match.start() for match in re.finditer(r"[.!?。](?=\s)|\n", head)]
    begin = re.search(r"[.!?。]\s|\n", tail)
    head, tail = head[: ends[-1] + 1] if ends else "", tail[begin.end() :] if begin else ""
    return f"{head}\nSome text in between is left out.\n{tail}"


def unmarked(text: str) -> str:
    """Return a normalised reply without markup, with signs around what tags, boxes and answer fields hold."""
    return "\n".join(map(plain, _mark(text).splitlines()))


def sentences(text: str) -> list[Sentence]:
    """Cut a reply without markup into sentences; of very many, the first and the last are kept."""
    found: list[Sentence] = []
    marked = False
    for line in text.splitlines():
        lead = ""
        for part in re.split(rf"([{_OPEN}{_CLOSE}])", line):
            if part in (_OPEN, _CLOSE):
                marked = part == _OPEN
                continue
            for piece in _SENTENCE_END.split(part):
                if piece.strip() == "?" and found:
                    found[-1] = replace(found[-1], text=f"{found[-1].text}?")
                elif any(character.isalnum() or character >= "\ue000" for character in piece):
                    found.append(Sentence(_short(piece.strip()), lead, marked))
                    marked, lead = False, "" if piece.rstrip()[-1:] in ".!?。" else piece
    first, last = _MOST_SENTENCES
    return found if len(found) <= first + last else [*found[:first], Sentence("Some are left out."), *found[-last:]]


def _mark(text: str) -> str:
    """Put signs around what tags, LaTeX boxes and answer fields of JSON hold, whether or not they are closed."""
    for _ in range(2):
        text = _LATEX_WRAPPER.sub(r"\1", text)
    # "<B>" that is never closed is a letter in brackets.
    letters = {tag for tag in ("B", "I", "U", "P") if f"</{tag}>" not in text}
    text = _HTML.sub(lambda match: match[0] if match[1] in letters else "", text)
    text = _BRACKETS.sub(r"(\1)", _TAG_CLOSE.sub(_CLOSE, _TAG_OPEN.sub(_OPEN, text)))
    text = _FIELD.sub(lambda match: f"\n{_OPEN}{match['quoted'] or (match['bare'] or '').rstrip('},]')}{_CLOSE}", text)
    boxes: list[bool] = []

    def brace(match: re.Match[str]) -> str:
        if match[0] != "}":
            boxes.append(match[0] != "{")
            return _OPEN if boxes[-1] else "{"
        return _CLOSE if boxes and boxes.pop() else "}"

    return _BRACES.sub(brace, text)


def _short(sentence: str) -> str:
    if len(sentence) <= _LONGEST_SENTENCE:
        return sentence.strip()
    return f"{sentence[: _LONGEST_SENTENCE // 2]} … {sentence[-_LONGEST_SENTENCE // 2 :]}"
