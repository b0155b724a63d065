"""The words and patterns by which the readers tell an answer from talk about answers."""

from __future__ import annotations

import re

NEGATION = re.compile(
    r"\b(?:not|never|neither|nor|no|without|wrong|incorrect\w*|inaccurate|false|unlikely|least|worst|cannot|unsure"
    r"|except|doubt|inconsistent|exclud\w*|(?<!by\s)(?<!process\sof\s)eliminat\w*|reject\w*|rul(?:es?|ed|ing)\s+out"
    r"|unlike|nicht|kein\w*|falsch\w*"
    r"|pas|faux|fausse|non|não|nie|не\w*)\b|n't\b|不|错|誤",
    re.IGNORECASE,
)
# Neither a condition nor what others might say is the model's own answer.
CONDITION = re.compile(
    r"\b(?:if|whether|unless|suppos\w+|assum\w+|were|when|wenn|falls|si|se|если|some|many|people|others?|might|may"
    r"|could"
    r"|perhaps|possibly|maybe|guess\w*|presum\w+|tentativ\w+|unsure|uncertain|unclear|(?:hard|difficult)\s+to"
    r"|(?:not|\w+n't|cannot|without)\s+(?:\w+\s+){0,2}(?:sure|certain|certainty|tell|say|know)|who\s+knows|nobody|no\s+one"
    r"|tempting|mistake\w*|user|previous|says|initial\w*|at\s+first|first\s+(?:glance|thought))\b"
    r"|如果|若|假如|可能",
    re.IGNORECASE,
)
# After these, what came before in the sentence is the reason and no longer part of the statement.
CONSEQUENCE = re.compile(r";|[,:.]\s*(?:and\s+)?(?:so|thus|therefore|hence|but|however)\b,?", re.IGNORECASE)
# What says that no option holds, or that nobody can tell: after an answer it contradicts it.
DENIES_ALL = re.compile(
    r"\b(?:none|neither|no(?:thing)?)\b\s*(?:(?:of\s+)?(?:the|these|those|them|above|all)\s+)*(?:(?:right|correct|good"
    r"|valid|suitable|such)\s+)?(?:options?|answers?|choices?)?\s*(?:is|are|was|were|seems?|fits?|appl(?:y|ies)|match\w*"
    r"|holds?|works?|can\s+be)\b(?:\s+(?:right|correct|true|valid|suitable|appropriate))?\W*$"
    r"|\bthere\s+is\s+no\s+(?:right|correct|good|valid|suitable)\s+(?:option|answer|choice)\b"
    r"|\ball\s+(?:of\s+)?(?:the\s+|these\s+)?(?:options|answers|choices)\s+are\s+(?:wrong|incorrect|false)\b"
    r"|\bno\s+(?:way|one\s+(?:knows|can))\b|\bimpossible\s+to\s+(?:tell|say|know|decide|determine|answer)\b"
    r"|\b(?:question|this|it)\s+(?:cannot|can't|can\s+not)\s+be\s+(?:answered|decided|determined|told)\b",
    re.IGNORECASE,
)
DOUBT = re.compile(
    r"^\W*(?:if|unless|provided|assuming|only\s+if)\b[^,]*$|^\W*no\b\W*(?:[A-Z]\b|the\b|it\b|wait|$)|\b(?:wait"
    r"|correction|scratch\s+that|reconsider\w*|second\s+thoughts?|hold\s+on|oops|hmm+|(?:check|think|look)\s+again"
    r"|guess\w*|take\s+(?:that|it|this)\s+back|not\s+really|(?:may|might|could)\s+(?:also|just\s+as)\s|chang\w+\s+my\s+mind|nobody"
    r"|on\s+reflection|sorry|unsure|uncertain|unclear)\b|\bactually,|\bactually\W+(?:\(?[A-Z]\b|it\b|the\b|no\b)"
    r"|^\W*(?:or\b|(?:but\s+)?(?:maybe|perhaps|possibly|presumably|alternatively|then\s+again|on\s+the\s+other\s+hand)\b"
    r"|(?:\bbut|\b(?:al)?though)\b.{0,40}\b(?:likely|better|fits?|possible|right|correct)\b)"
    r"|\b(?:maybe|perhaps|possibly)\W*$"
    r"|\b(?:not|n't|cannot\s+be|can't\s+be)\s+(?:\w+\s+)?(?:sure|certain)"
    r"|\b(?:I|we|may|might|could)\b[^.]{0,20}\b(?:mistake\w*|wrong|unable)|\b(?:was|am)\s+(?:wrong|mistaken)\b"
    r"|\bplease\s+(?:provide|upload|ask|share|describe|clarify|give|tell|send|let|consult)\b|\bI\s*(?:can|cannot"
    r"|can't|could|couldn't|will|'ll|won't|am|'m|do\s+not|don't)\b[^.]{0,20}\b(?:help|assist|answer"
    r"|determine|tell|say|decide|provide|interpret|diagnose|know)\b"
    rf"|{DENIES_ALL.pattern}",
    re.IGNORECASE,
)
# A sentence with one of these may reject less than it seems to: "not MRI but CT", "cannot be excluded".
WAVERS = re.compile(
    r"\b(?:but|however|although|though|yet|could|might|may|possibl\w*|perhaps|maybe|sure|certain\w*|doubt"
    r"|wait|actually|sorry|mistake\w*|correction|reconsider\w*|reflection|unless|if|either|also|rather|instead"
    r"|only|wrong\s+about|answer|before|initially|not\s+(?:un\w+|in\w+|wrong)|(?:not|cannot|can't|couldn't"
    r"|n't)\s+(?:be\s+)?(?:exclud\w*|rul\w+|discount\w*|dismiss\w*))\b|^\W*no\b(?!\s+(?-i:[a-z]))",
    re.IGNORECASE,
)
# What speaks for an option.
FAVOURS = re.compile(
    r"\b(?:fits?|match\w*|better|best|likel\w+|probabl\w*|correct|(?:is|be)\s+right|suggest\w*|support\w*|favou?rs?"
    r"|points?\s+to"
    r"|possib\w*|alternativ\w*|another|as\s+well|plausible|could|might|may|also|too|instead|rather|prefer\w*"
    r"|cho[os]\w+|pick|select\w*|go\s+with|consistent"
    r"|typical|answer|true|must|so|therefore|thus|hence|indicates?|confirm\w*|diagnos\w*"
    r"|is\s+(?:clearly\s+)?(?:present|seen|visible|evident)|(?:it|this|image|picture|scan|film)(?:\s+is|'s"
    r"|\s+shows))\b",
    re.IGNORECASE,
)
# What speaks against the very answer that was given, when denied.
ITSELF = re.compile(
    r"^\W*(?:not|incorrect|wrong|false|no)\W*$|\b(?:this|that|it|which|(?:this|that|the)\s+(?:option|choice"
    r"|answer))(?:'s|\s+(?:is|was"
    r"|does|did|can|could|may|might|would|seems?))?\s*(?:n't|not|never|incorrect|wrong|false|inconsistent)"
    r"(?:\s+(?:be|the|a|an|in|my))*\s*(?:wrong|incorrect|correct|right|answer|fit|match|true|consistent|accurate|\W*$)"
    r"|(?:answer|option|choice)\s+(?:is\s+(?:not|wrong|incorrect)|isn't)\b",
    re.IGNORECASE,
)
DENIES = re.compile(
    r"n't\b|\b(?:not|never|cannot|wrong|incorrect|exclude\w*|rul\w+\s+out|unlikely|doubt)\b", re.IGNORECASE
)
TURN = re.compile(r"\b(but)\b", re.IGNORECASE)
EXPLANATION = re.compile(
    r"\W*(?:explanation|reason(?:ing)?|rationale|because)\W+(?:(?:option|choice)\s+)?(?:\(?[A-Z][.):]\s*)?",
    re.IGNORECASE,
)

_ADJECTIVE = (
    r"(?:final|correct|right|best|selected|chosen|predicted|(?:most\s+)?(?:likely|appropriate|accurate|suitable"
    r"|fitting|plausible|probable|relevant"
    r"|reasonable|economical|consistent)|closest|nearest|single|only|richtige|korrekte|bonne|correcte?|correcta"
    r"|correta"
    r"|corretta|finale|правильный|верный|окончательный|poprawna|prawidłowa|最可能的?|最佳的?|正确的?|正確的?|最终的?|最終的?)"
)
_NOUN = (
    r"(?:answer|ans\b|choice|option|conclusion|response|selection|prediction|diagnosis(?=\s*:)|réponse|antwort"
    r"|respuesta|opción|(?:a\s+)?(?:resposta|alternativa)|risposta"
    r"|odpowiedź|ответ|答案|回答|选项(?=是|为|[：:])|正解|答え|정답|답|الإجابة(?:\s+الصحيحة)?|(?<=closest\s)(?:value|match)"
    r"|(?<=correct\s)(?:set|statement))"
)
NOUN = re.compile(_NOUN, re.IGNORECASE)
_ABOUT = (
    r"(?:\s*,?\s+(?:to|for|based|from|among|that|which|in|on|given|of|according|matching|corresponding|here|would)\b"
    r"(?:(?!\b(?:is|not|if)\b)[^.:;]){0,120}?)?"
)
STATEMENT = re.compile(
    rf"(?<!\w)(?P<article>(?:the|my|our|la|le|el|die|your)\s+|所以|因此|故|则|综上"
    rf"|我的)?(?P<adjectives>(?:{_ADJECTIVE}\s*){{0,3}}){_NOUN}"
    rf"(?:\s+(?:choice|option|letter|answer|{_ADJECTIVE}))?{_ABOUT}"
    r"(?P<verb>(?:\s*,?\s+(?:is|was|would\s+be|should\s+be|must\s+be|will\s+be|has\s+to\s+be|est|ist|lautet|es|é|è"
    r"|to)\b|\s*(?:は|是|为|為|은|는"
    r"|هي|应该是|應該是)|\s*选)(?:\s*:)?|(?<=\bans)\.\s*:?|\s*[:=]|\s+-|-\s)\s*(?P<said>[^\n]*)",
    re.IGNORECASE,
)
CHOSEN = re.compile(
    r"(?:(?<!\w)(?:(?:(?:i|we)(?:\s+would|\s+will|'d|'ll)?\s+(?:choose|select|pick|go\s+(?:with|for)|say|answer)"
    r"|i\s*(?:am|'m)\s+going\s+(?:with|for))"
    r"|my\s+(?:choice|pick)\s+is)\s|(?<![不别勿可])[选選](?![项項])[择擇]?:?)\s*(?P<said>[^\n]*)",
    re.IGNORECASE,
)
# A statement that goes on in the next line.
OPEN_STATEMENT = re.compile(
    rf"(?:(?:\b(?P<article>the|my|our)\s+)?(?:{_ADJECTIVE}\s*){{0,3}}{_NOUN}{_ABOUT}(?:\s*:|\s+(?:is|would\s+be"
    rf"|should\s+be)\s*:?)|^(?:{_ADJECTIVE}\s*)?{_NOUN})$",
    re.IGNORECASE,
)
# "Another option is A" and "a possible answer is A" are no answers: without an article a statement starts its clause.
CLAUSE_START = re.compile(
    r"(?:^|[^\w\s]|\b(?:so|thus|therefore|hence|then|that|and|think|believe|conclude|say|because)|所以|因此|故|应该?|我|则"
    r"|综上)\s*$",
    re.IGNORECASE,
)
NOT_BUT = re.compile(r"^\W*not\s+(?:option\s+)?\(?[A-Z]\)?,?\s+but\s+(?:rather\s+)?", re.IGNORECASE)
DENIED = re.compile(
    r"(?:\b(?:not|never|if|unless|than|of|unlike|or|and|nor|versus|vs\.?|might\s+be|may\s+be|could\s+be|between"
    r"|except|wrong"
    r"|incorrect)|n't)[\s:,]*(?:the\s+)?(?:answer|option|choice)?(?:\s+(?:is|were|was))?\W*$",
    re.IGNORECASE,
)
LOOSE_END = re.compile(r"(?:[\s,;.]|\b(?:or|and|but|so)\b)+$")

_PREFIX = (
    r"(?:(?i:so|therefore|thus|hence|it\s+is|it's|it\s+must\s+be|(?:this|that)\s+(?:is|leaves)|(?:the\s+)?most\s+(?:likely|probabl[ey])"
    r"|probabl[ey]|likely|clearly|definitely|la|el)"
    r"[,:]?\s+)*(?:(?i:(?:the\s+)?(?:correct\s+)?(?:option|choice|answer|letter|letra|lettre|opción"
    r"|(?:a\s+)?alternativa))\s+|[我应故]?选[择项]?:?\s*)?"
)
# A letter is no answer as part of a word or a compound: "I'm", "B-mode", "A/B".
LETTERED = re.compile(
    rf"(?P<prefix>{_PREFIX})[(\[{{\"'「【<]*\s*(?P<letter>[A-Za-z])(?![A-Za-z/&+_]|['-]\w)"
    r"(?P<close>\s*[)\]}\"'」】>]*)(?P<rest>.*)",
    re.DOTALL,
)
TEXT_THEN_LETTER = re.compile(r"(?P<text>.+?)\s*[(\[](?:(?i:option)\s+)?(?P<letter>[A-Z])[)\]][.!]*", re.DOTALL)
BRACKETED = re.compile(r"^(?:(?i:option)\s+)?(?:\([A-Z]\)|[A-Z][.):])\s*")
VERDICT = re.compile(
    r"\s+is\s+(?:the\s+)?(?:most\s+likely\s+)?(?:correct|right|best|answer)(?:\s+(?:answer|option|choice|one))?[.!]*$"
    r"|\s*(?:です|입니다)[.。]?$",
    re.IGNORECASE,
)
# "Wait, no." says that what follows corrects what came before.
_CORRECTION = (
    r"(?:(?:no\W+)?wait|actually|correction|scratch\s+that|hold\s+on|on\s+(?:second\s+thoughts?|reflection)|oops|sorry"
    r"|hmm+|let\s+me\s+\w+\s+(?:that|this|it|again)|(?:no\W+)?(?:that|this|it)(?:\s+is|'s)\s+(?:wrong|not\s+right|incorrect)"
    r"|no(?=\s*[,.!-]))"
)
CORRECTION = re.compile(rf"^\W*(?:{_CORRECTION}\b\W*)+", re.IGNORECASE)
_STATES = rf"(?:(?:so|the|my)\s+){{0,2}}(?:{_ADJECTIVE}\s*){{0,3}}{_NOUN}\s*(?::|is\b)"
# "A, no wait, the answer is B" and "not A. Answer: B": what is stated after a correction or a letter is a sentence.
CORRECTED = re.compile(
    rf"(?:\s-+|[,;(])?\s(?=(?:{_CORRECTION}\b\W+){{1,3}}(?:{_STATES}|i(?:'d|'ll|\s+would)\s))"
    rf"|(?<=\b[A-Z]\.)\s(?=[*_#]*(?:{_STATES}|i(?:'d|'ll|\s+would)\s))",
    re.IGNORECASE,
)
# What may stand before an answer: "So, most likely: MRI". That it is likely is an answer in a differential diagnosis.
LEAD = re.compile(
    r"^(?:(?:so|therefore|thus|hence|overall|clearly|definitely|(?:the\s+)?most\s+(?:likely|probabl[ey])|probabl[ey]|likely)"
    r"\b[,:]?\s+)+",
    re.IGNORECASE,
)
# "X, a tumour of the meninges": what a comma and an article or a relative pronoun add.
APPOSITION = re.compile(r",\s+(?=(?:an?|the|which|one\s+of)\s)", re.IGNORECASE)
SEEN = re.compile(
    r"(?:(?:there\s+(?:is|are)|(?:i|we)\s+(?:can\s+)?see|(?:this|the)\s+(?:image|scan|film)\s+shows)\s+(?P<seen>.+?)"
    r"|(?P<thing>.+?)(?:\s+(?:is|are|was|were))?\s+(?:clearly\s+)?(?:seen|visible|present|identified|found|noted|detected|evident))"
    r"(?:\s+(?:here|(?:in|on)\s+(?:this|the)\s+(?:image|scan|film|picture)))?[.!]*",
    re.IGNORECASE,
)
NO_SIGN = re.compile(r"^(no\s+)(?:evidence|signs?)\s+of\s+(?:an?\s+|any\s+)?", re.IGNORECASE)
IS_RIGHT = re.compile(
    r"(?:(?P<lead>(?:based|given|from|in\s+(?:this|the|conclusion|summary)|on|of|so|thus|therefore|hence|overall"
    r"|clearly)\b[^,]{0,150}),\s+)?(?P<said>.{1,300}?),?"
    r"\s+is\s+(?:(?P<noun>(?:the\s+)?answer|the\s+(?:most\s+likely|final|only\s+correct|correct|right"
    r"|best)(?:\s+(?:answer|option|choice|one"
    r"|diagnosis|finding|interpretation|explanation)|(?=\W*$)))|correct|right)\b(?P<rest>.*)",
    re.IGNORECASE | re.DOTALL,
)
DELIMITER = re.compile(r"\s*[.:,;)、。>-]+\s*")
STOP = re.compile(r"(?:选项|项)?[\s.!)。,;:]*")
BECAUSE = re.compile(
    r"(?:because|since|as|due|based|given|which|where|with|showing|indicating|representing|因为|因為|weil|car"
    r"|porque)(?:\b|(?<=[为為]))",
    re.IGNORECASE,
)
# "Yes there is", "No it is not": the only options that need no comma.
OPENING = re.compile(r"(yes|no)\s+(?:there|it|this|they|he|she)\b", re.IGNORECASE)
COMMENT = re.compile(r"[,;:]\s|\s+-+\s|\s+(?=(?:because|since|due\s+to)\b)")
# A capital letter that stands for an option, not the article "A" or the pronoun "I".
MENTION = re.compile(
    r"(?<![\w'])(?:(?P<letter>[B-HJ-Z]|A(?!\s+[a-z])|A(?=\s+(?:is|was|has|would|could|can|may|might|does|seems?"
    r"|fits|looks"
    r"|matches|shows|and|or)\b)|I(?=[).:]|\s*$|\s+(?:is|fits)\b))(?![\w'])|(?i:option|choice"
    r"|answer)\s+\(?(?P<named>[a-zA-Z])\b)"
)
DESCRIPTION = re.compile(
    r"(?:it's|(?:it|this|(?:the|this)\s+(?:[\w-]+\s+){0,2}(?:image|picture|scan|photo|slide|x-ray|radiograph|film"
    r"|ct|mri))\s+(?:is|shows|depicts|displays))\s+(?P<what>.+?)[.!]*",
    re.IGNORECASE,
)
IS = re.compile(
    r"(?P<subject>.{2,300}?)\s+(?:is|are|represents?|shows?|would\s+be|must\s+be"
    r"|corresponds?\s+to)\s+(?:most\s+likely\s+|likely\s+)?"
    r"(?:(?:most\s+)?(?:consistent|compatible)\s+with\s+)?(?P<said>.+)",
    re.IGNORECASE | re.DOTALL,
)
LIKELY = re.compile(
    r"^(?:\W|\w+,|based\s+on\s+[^,]*,)*\s*the\s+(?:most\s+likely|most\s+probable|correct|best)\b", re.IGNORECASE
)
OTHER = re.compile(
    r"\b(?:options?|choices?|another|first|second|third|last|other|one|example|instance)\b", re.IGNORECASE
)
CONCESSION = re.compile(r"\W*(?:although|though|while|even\s+though|even\s+if|despite)\b[^,;]*[,;]", re.IGNORECASE)
# "The best choice is graph B": a part of a picture that goes by a letter.
PART = re.compile(r"^(?:graph|image|figure|picture|panel|statement|set)\s+(?=\(?[A-Z]\b)", re.IGNORECASE)
CONNECTS = re.compile(r"\W*(?:or|and|nor|vs|versus)\b", re.IGNORECASE)
# What a reply of one sentence is about: "The modality is CT.", but not "A possible cause is CT."
SUBJECT = re.compile(
    r"(?:(?:based\s+on|from|in)\b[^,]*,\s*)?(?:the|this|that|it)\b(?!.*\b(?:possib\w*|potential\w*|alternative\w*"
    r"|differential"
    r"|common\w*|typical\w*)\b)",
    re.IGNORECASE,
)
PICTURE = re.compile(r"\s(?:scan|image)[.!]*$", re.IGNORECASE)
VERB = re.compile(
    r"\W*(?:is|was|are|were|would|does|do|did|can|could|cannot|can't|has|have|shows?|may|might|seems?|fits?)\b"
)
SUPPOSES = re.compile(r"\b(?:would|should|could|might|may|if)\b", re.IGNORECASE)
LABELLED = re.compile(r"(?:(?i:option)\s+)?\(?([A-Z])[).:]\s")
NUMBER = re.compile(r"\d{1,2}[.)]")
# An option's text before a colon or a dash is the heading of a comment.
LABEL = re.compile(r"[^,.;(]*(?::\s|\s-+\s)")


def goes_on(text: str) -> bool:
    """Return whether a statement is still without what it states, as in "The correct answer is:"."""
    match = OPEN_STATEMENT.search(text)
    return bool(match and (match["article"] or CLAUSE_START.search(text[: match.start()])))
