"""The words that name a kind of image: the seven modalities, and what else questions show and must be told apart.

A table, so that who knows the field can correct it.
"""

from __future__ import annotations

import re
from typing import Final

WORDS: Final[tuple[tuple[str, str], ...]] = (
    # Names that hold the name of another kind come first: what one pattern found is hidden from the next.
    ("PET", r"\bPET\b(?:\s*[-/]\s*(?:CT|MRI?)\b)?|(?i:positron emission)"),
    ("OCT", r"\bOCT\b|(?i:optical coherence)"),
    ("SPECT", r"\bSPECT\b(?:\s*[-/]\s*CT\b)?"),
    ("scintigraphy", r"(?i:\b\w*scintigra\w*|\bscintiscan\w*|\bbone scan\b|\bradionuclide\b|\bsestamibi\b"
     r"|\b(?:HIDA|DMSA)\b"
     r"|\bgallium scan)|\bV/?Q\b"),
    ("electron microscopy", r"(?i:electron[- ]micro(?:scop|graph)\w*)"),
    ("immunofluorescence", r"(?i:\bimmuno-?fluorescen\w*|\bconfocal microscop\w*)"),
    ("ultrasound", r"(?i:endoscopic (?:ultraso\w+|sonogra\w+)|\bendosonogra\w+)|\bEUS\b"),
    ("fundus photography", r"(?i:\bfluorescein angiogra\w*|\bfundus (?:photo\w*|images?|camera|exam\w*"
     r"|findings?|view)"
     r"|\b(?:retinal|colou?r|ocular) fundus(?: photo\w*)?|\bfund[ou]scop\w*|\bophthalmoscop\w*)"),
    ("infrared imaging", r"(?i:\binfra-?red\b|\bthermogra\w+)"),
    ("colposcopy", r"(?i:\bcolposcop\w*)"),
    ("slit lamp", r"(?i:\bslit[- ]lamp\b(?: (?:bio)?microscop\w*)?|\bbiomicroscop\w*|\bgonioscop\w*)"),
    ("otoscopy", r"(?i:\botoscop\w*)"),
    ("capillaroscopy", r"(?i:\bcapillaroscop\w*)"),
    ("densitometry", r"\bDE?XA\b|(?i:\bdensitometr\w*)"),
    ("ECG", r"\bE[CK]Gs?\b|(?i:\belectrocardiogra\w*|\brhythm strip\w*|\btelemetry\b)"),
    ("EEG", r"\bEEGs?\b|(?i:\belectroencephalogra\w*)"),
    ("tracing", r"(?i:\bcardiotocogra\w*|\btocometr\w*|\b(?:fetal heart|pressure|pulse oximetry"
     r"|heart rate) (?:rate )?(?:tracing|curve)s?"
     r"|\bspirogra\w*|\bspirometr\w*|\bflow[- ]volume|\bpolysomnogra\w*|\bmanometr\w*|\baudiogra\w*|\btympanogra\w*"
     r"|\belectromyogra\w*|\bcapnogra\w*|\belectrophoresis|\baction potential)|\bCTG\b"),
    ("drawing", r"(?i:\bdiagrams?\b|\bschematics?\b|\bdrawings?\b|\billustrations?\b|\bgraphs?\b|\bflow ?charts?\b"
     r"|\bpedigrees?\b|\bkaryotypes?\b|\bnomogram\b|\binheritance pattern)"),
    ("gross specimen", r"(?i:\bgross(?:ly)? (?:patholog\w*|specimens?|sections?|appearance|images?|photo\w*|exam\w*)"
     r"|\bautops\w*|\bcut surface)"),
    ("histopathology", r"(?i:\bphotomicrogra\w*|\bmicrogra\w*|\bmicroscopy\b"
     r"|\bmicroscopic (?:images?|sections?|views?|exam\w*|findings?|analysis|evaluation|appearance)"
     # How tissue was taken belongs to the biopsy: an endoscopic biopsy is shown through a microscope.
     r"|(?:\b(?:\w+scopic|(?:CT|MRI|ultrasound|image)[- ]guided|trans\w+"
     r"|core(?: needle)?)\s+)?\b(?:\w+\s+){0,2}\bbiops(?:y|ies)\b"
     r"(?! (?:sites?|scars?|forceps|needles?|wounds?)\b))"),
    ("digital photography", r"(?i:\bphotogra\w*|\bphotos?\b)"),
    # The seven.
    ("CT", r"\b(?:HR|CE|NC)?CT[AV]?s?\b(?i:\s+(?:angio|veno|uro|myelo|entero|cysto|arthro|colono)gra\w*)?"
     r"|(?i:\bct (?=scan|image|slice|of\b|angio)|\bcomput(?:ed"
     r"|eri[sz]ed)(?: axial)?[- ]tomogra\w*(?:\s+\(?CTA?\)?)?(?:\s+angiogra\w*)?|\bCAT scan)"),
    # "MR" alone is mitral regurgitation as often.
    ("MRI", r"\bf?MR[AIV]s?\b|\bMRCPs?\b|\bFLAIR\b|\bDWI\b|\bADC map|\bSTIR\b"
     r"|\bMR[- ](?i:(?:angio|veno|cholangio\w*|entero|arthro|uro|elasto|myelo)gra\w*|(?=imag|scan|sequence"
     r"|spectrosc|slice|pictur))"
     r"|(?i:\bmri\b|\bmagnetic[- ]resonance(?:\s+(?:imaging|\w*graphy))?|\bT[12][- ]?weighted)"),
    ("X-ray", r"(?i:\bx[- ]?rays?\b|\b\w*radiogra\w*|\broentgen\w*|\bmammogra\w*|\bplain films?\b|\bskeletal survey"
     r"|\bfluoroscop\w*|\bvideo-?fluoroscop\w*|\b(?:barium|gastrografin|contrast) (?:swallow|enema|meal|stud\w+"
     r"|esophag\w+)"
     r"|\bo?esophagogra\w*|\bo?esophagrams?\b|\bupper GI series|\bsmall[- ]bowel follow[- ]through"
     r"|\b(?:cysto|cystourethro|urethro|pyelo|uro|nephrostogr?a?|hysterosalpingo|ventriculo|arthro|myelo|sialo|defeco"
     r"|fistulo|lymphangio|cholangio|cholangiopancreato|angio|arterio|aorto|veno|phlebo|orthopanto"
     r"|galacto)gra(?:m|ph)\w*"
     r"|\borthopantomogra\w*)|\b(?:CXR|KUB|VCUG|MCUG|IVP|IVU|HSG|ERCP|DSA)s?\b"),
    ("ultrasound", r"(?i:\bultra-?so(?:und|nogra)\w*|\bsonogra\w*|\bechocardiogra\w*|\bdoppler\b"
     r"|\bduplex (?:scan|stud)\w*"
     r"|\b(?:subcostal|parasternal|subxiphoid|apical (?:four|two|4|2)[- ]chamber|short[- ]axis|long[- ]axis) view"
     r"|\bM-mode\b|\bB-mode\b)|\bT[TE]E\b"),
    ("dermoscopy", r"(?i:\bderm(?:at)?oscop\w*|\bepiluminescence)"),
    ("endoscopy", r"(?i:\b\w*(?:endo|colono|gastro|duodeno|entero|broncho|cysto|laparo|arthro|hystero|laryngo"
     r"|pharyngo"
     r"|sigmoido|thoraco|procto|ano|ureteroreno|uretero|rhino|naso)scop\w*)|\bEGDs?\b"),
    ("histopathology", r"(?i:\bhisto(?:patho)?log\w*|\bpatholog(?:y|ical|ic) (?:images?|slides?|sections?|specimens?)"
     r"|\bwhole[- ]slide|\bcytolog\w*|\bcytopatholog\w*|\b(?:thick|thin|pap|papanicolaou|tzanck|blood"
     r"|peripheral|marrow) (?:and \w+ )?(?:blood )?(?:film|smear)s?\b"
     r"|\bsmears?\b|\bmarrow aspirate\w*|\bfine[- ]needle aspirat\w*|\bfrozen sections?|\bwet (?:mount|prep)\w*"
     r"|\b(?:gram|giemsa|wright|trichrome|congo red|silver|prussian blue|acid[- ]fast|mucicarmine|india ink"
     r"|hematoxylin(?:[- ]and)?[- ]eosin)"
     r"[- ]?stain\w*|\bh(?:a?ematoxylin)\b|\bimmunohistochem\w*|\bKOH (?:prep|mount)\w*|\burin(?:e|ary) sediment)"
     r"|\bH\s?&\s?E\b"),
)  # fmt: skip
"""Kind of image and the words that name it. Kinds outside the seven are there to be told apart from them."""

PATTERNS: Final = tuple((name, re.compile(pattern)) for name, pattern in WORDS)


def named_modalities(text: str) -> list[str]:
    """Return the kinds of image that a text names, each once, those outside the seven too."""
    found: dict[str, None] = {}
    for name, pattern in PATTERNS:
        text, count = pattern.subn(" ", text)
        if count:
            found[name] = None
    return list(found)
