"""The words that deny, hedge, take back, favour or name an answer, in one form: small spaces, no line breaks.

Add a word to the list that says what it does, and to the tests a sentence where it counts and one where it does not.
"""

from __future__ import annotations

import re
from functools import partial

from medq_deg.models.parsing.match import OPTION

any_case = partial(re.compile, flags=re.IGNORECASE | re.DOTALL)

NEGATION = any_case(
    r"\b(?:not|never|neither|nor|no|without|wrong|incorrect\w*|inaccurate|false|unlikely|least|worst|cannot|unsure"
    r"|except|doubt|inconsistent|exclud\w*|(?<!by\s)(?<!process\sof\s)eliminat\w*|reject\w*|rul(?:es?|ed|ing) out"
    r"|unlike|nicht|kein\w*|falsch\w*|pas|faux|fausse|non|não|nie|не\w*)\b|n't\b|不|错|誤"
)
# A condition, a guess, or what somebody else might say: no answer of the model's own.
HEDGE = any_case(
    r"\b(?:if|whether|unless|suppos\w+|assum\w+|were|when|wenn|falls|si|se|если|some|many|people|others?|might|may"
    r"|could|perhaps|possibly|maybe|guess\w*|presum\w+|tentativ\w+|unsure|uncertain|unclear|(?:hard|difficult) to"
    r"|(?:not|\w+n't|cannot|without) (?:\w+ ){0,2}(?:sure|certain|certainty|tell|say|know)|knows|nobody|no one|tempting"
    r"|mistake\w*|user|previous|says|initial\w*|at first|first (?:glance|thought))\b|如果|若|假如|可能"
)
# That no option holds, or that nobody can tell.
DENIES_ALL = any_case(
    r"\b(?:none|neither|no(?:thing)?)\b(?: (?:of|the|these|those|them|above|all|right|correct|options?|answers?"
    r"|choices?))* (?:is|are|was|fits?|appl(?:y|ies)|match\w*|holds?|can be)\b(?: (?:right|correct|true|valid"
    r"|suitable))?\W*$|\bno (?:right|correct|good|valid|suitable) (?:option|answer|choice)\b|\bno (?:way|one (?:knows"
    r"|can))\b|\ball (?:of )?(?:the |these )?(?:options|answers|choices) are (?:wrong|incorrect|false)\b"
    r"|\bimpossible to \w+|\b(?:question|this|it) (?:can ?not|can't) be (?:answered|decided|determined|told)\b"
)
# What takes an answer back: doubt, correction, refusal.
DOUBT = any_case(
    rf"^\W*(?:if|unless|provided|assuming|only if)\b[^,]*$|^\W*no\b\W*(?:{OPTION}|the\b|it\b|wait|$)"
    r"|\b(?:wait|correction|scratch that|reconsider\w*|second thoughts?|hold on|oops|hmm+|(?:check|think|look) again"
    r"|guess\w*|take (?:that|it|this) back|not really|(?:may|might|could) (?:also|just as)\s|chang\w+ my mind"
    r"|nobody|on reflection|sorry|unsure|uncertain|unclear)\b|\bactually(?:,|\W+(?:it|the|no)\b)|\bactually ?"
    + OPTION
    + r"|^\W*(?:or\b|(?:but )?(?:maybe|perhaps|possibly|presumably|alternatively|then again|on the other hand)\b"
    r"|(?:\bbut|\b(?:al)?though)\b.{0,40}\b(?:likely|better|fits?|possible|right|correct)\b)|\b(?:maybe|perhaps"
    r"|possibly)\W*$|\b(?:not|n't|(?:cannot|can't) be) (?:\w+ )?(?:sure|certain)|\b(?:was|am) (?:wrong|mistaken)\b"
    r"|\b(?:I|we|may|might|could)\b[^.]{0,20}\b(?:mistake\w*|wrong|unable)|\bplease (?:\w+e|upload|ask|clarify|tell"
    r"|send|let|consult)\b|\bI ?(?:can|could|will|'ll|won't|am|'m|do)(?:not|n't|\b)[^.]{0,20}\b(?:help|assist|answer"
    r"|determine|tell|say"
    rf"|decide|provide|interpret|diagnose|know)\b|{DENIES_ALL.pattern}"
)
# A sentence with one of these may reject less than it seems to: "not MRI but CT", "cannot be excluded".
WAVERS = any_case(
    r"\b(?:but|however|although|though|yet|could|might|may|possibl\w*|perhaps|maybe|sure|certain\w*|doubt|wait|actually"
    r"|sorry|mistake\w*|correction|reconsider\w*|reflection|unless|if|either|also|rather|instead|only|wrong about"
    r"|answer|before|initially|not (?:un\w+|in\w+|wrong)|(?:not|can't|cannot|couldn't|n't) (?:be )?(?:exclud\w*|rul\w+"
    r"|discount\w*|dismiss\w*))\b|^\W*no\b(?! (?-i:[a-z]))"
)
# What speaks for an option.
FAVOURS = any_case(
    r"\b(?:fits?|match\w*|better|best|likel\w+|probabl\w*|correct|(?:is|be) right|suggest\w*|support\w*|favou?rs?"
    r"|points? to|possib\w*|alternativ\w*|another|as well|plausible|could|might|may|also|too|instead|rather|prefer\w*"
    r"|cho[os]\w+|pick|select\w*|go with|consistent|typical|answer|true|must|so|therefore|thus|hence|indicates?"
    r"|confirm\w*|diagnos\w*|is (?:clearly )?(?:present|seen|visible|evident)|(?:it|this|image|picture|scan|film)(?: is"
    r"|'s| shows))\b"
)
# What speaks against the very answer that was given.
ITSELF = any_case(
    r"^\W*(?:not|incorrect|wrong|false|no|unlikely|excluded|ruled out|rejected)\W*$|\b(?:this|that|it"
    r"|which)(?: (?:option|choice|answer))?(?:'s| \w+)? ?(?:n't|not|never|incorrect|wrong|false|inconsistent"
    r"|unlikely)(?: (?:be|the|a|an|in|my))* ?(?:wrong|incorrect|correct|right|answer|fit|match|true|consistent|accurate"
    r"|\W*$)|(?:answer|option|choice) (?:is (?:not|wrong|incorrect)|isn't)\b"
)
DENIES = any_case(r"n't\b|\b(?:not|never|cannot|wrong|incorrect|exclude\w*|rul\w+ out|unlikely|doubt)\b")
CORRECTION = any_case(
    r"^\W*(?:(?:(?:no\W+)?wait|actually|correction|scratch that|hold on|on (?:second thoughts?|reflection)|oops|sorry"
    r"|hmm+|let me \w+ (?:that|this|it|again)|(?:no\W+)?(?:that|this|it)(?: is|'s) (?:wrong|not right|incorrect)"
    r"|no(?= ?[,.!-]))\b\W*)+"
)
# After these, what came before in the sentence is the reason and no longer part of the statement.
CONSEQUENCE = any_case(r";|[,:.] ?(?:and )?(?:so|thus|therefore|hence|but|however)\b,?")
CONCESSION = any_case(r"\W*(?:although|though|while|even though|even if|despite)\b[^,;]*[,;]")
REASON = any_case(
    r"[\s,]*(?:because|since|as|due|based|given|which|where|with|showing|indicating|representing|因为|因為|weil|car"
    r"|porque)(?:\b|(?<=[为為]))"
)
ADJECTIVE = (
    r"(?:final|correct|right|best|selected|chosen|predicted|(?:most )?(?:likely|appropriate|accurate|suitable|fitting"
    r"|plausible|probable|relevant|reasonable|economical|consistent)|closest|nearest|single|only|richtige|korrekte"
    r"|bonne|correcte?|correcta|correta|corretta|finale|правильный|верный|окончательный|poprawna|prawidłowa|最可能的?|最佳的?"
    r"|正确的?|正確的?|最终的?|最終的?)"
)
NOUN = (
    r"(?:answer|ans\b|choice|option|conclusion|response|selection|prediction|diagnosis(?= ?:)|réponse|antwort|respuesta"
    r"|opción|(?:a )?(?:resposta|alternativa)|risposta|odpowiedź|ответ|答案|回答|选项(?=是|为|[：:])|正解|答え|정답|답"
    r"|الإجابة(?: الصحيحة)?|(?<=closest\s)(?:value|match)|(?<=correct\s)(?:set|statement))"
)
