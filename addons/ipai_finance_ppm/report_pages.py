"""Monthly reports as pages of A4: what the mail has attached, and what `ipai finance report --pdf` writes. Black on white, with every letter that a
name may have. The same reports give the same bytes. Imports nothing of Odoo: whoever calls it says where the fonts are and how a word is translated.
"""

import io
import unicodedata
from datetime import datetime, timedelta
from xml.sax.saxutils import escape

from reportlab.lib.colors import Color, black, white
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import BaseDocTemplate, Frame, NextPageTemplate, PageBreak, PageTemplate, Paragraph, Spacer, Table

LEFT, RIGHT, TOP, BOTTOM = 54, 541, 798, 40
WIDTH = RIGHT - LEFT
GRAY = Color(0.27, 0.27, 0.27)
# Per cent: as the director is told of it.
ENOUGH = 95
# Letters of a cell at most: a row that is taller than a page cannot be set. The CSV has all of it.
MOST_LETTERS = 500
# What no font has.
UNKNOWN = "\N{WHITE SQUARE}"


def render(reports, fonts, _):
    """The reports, as the door for programs tells them (`_as_answer`), each company's on a page of its own, as the bytes of a PDF.

    fonts: the files of the faces `regular`, `bold` and `emoji` (TrueType). _: translates, as gettext does.
    """
    faces = Faces(fonts)
    whole = io.BytesIO()
    title = _("BIR compliance, %s", reports[0]["period"])
    document = BaseDocTemplate(whole, pagesize=A4, title=title, author=reports[0]["company"], invariant=1, lang="en")
    sheets = [Sheet(report, faces, _) for report in reports]
    document.addPageTemplates([sheet.template(str(place)) for place, sheet in enumerate(sheets)])
    story = []
    for place, sheet in enumerate(sheets):
        story += [NextPageTemplate(str(place)), *([PageBreak()] if place else []), *sheet.story()]
    document.build(story)
    return whole.getvalue()


class Faces:
    """Text in whatever face has its letters: of a name's emoji another than of its other letters."""

    def __init__(self, fonts):
        self.names = {face: f"ipai-{face}" for face in fonts}
        for face, file in fonts.items():
            if self.names[face] not in pdfmetrics.getRegisteredFontNames():
                pdfmetrics.registerFont(TTFont(self.names[face], file))
        self.letters = {face: pdfmetrics.getFont(name).face.charToGlyph for face, name in self.names.items()}

    def markup(self, text, face="regular"):
        """As a paragraph takes it. Letters and their marks are put together; what only tells how to draw an emoji is left out."""
        given = unicodedata.normalize("NFC", " ".join(str(text).split()))
        parts = []
        for letter in given:
            if unicodedata.category(letter) in ("Cc", "Cf") or 0xFE00 <= ord(letter) <= 0xFE0F:
                continue
            found = next((one for one in (face, "emoji") if ord(letter) in self.letters[one]), None)
            letter, found = (letter, found) if found else (UNKNOWN, "emoji" if ord(UNKNOWN) in self.letters["emoji"] else face)
            if parts and parts[-1][0] == found:
                parts[-1][1] += letter
            else:
                parts.append([found, letter])
        return "".join(f'<font name="{self.names[found]}">{escape(words)}</font>' for found, words in parts)

    def paragraph(self, text, size=9, face="regular", color=black, align=0):
        style = ParagraphStyle(
            face, fontName=self.names[face], fontSize=size, leading=size * 1.25, textColor=color, alignment=align, splitLongWords=True
        )
        return Paragraph(self.markup(text, face), style)


class Sheet:
    """The pages of one company."""

    def __init__(self, report, faces, _):
        self.report, self.faces, self._ = report, faces, _

    def template(self, name):
        frame = Frame(LEFT, BOTTOM + 16, WIDTH, TOP - BOTTOM - 40, leftPadding=0, rightPadding=0, topPadding=0, bottomPadding=0)
        return PageTemplate(name, [frame], onPage=self.frame)

    def frame(self, canvas, _document):
        """What every page has: whose it is, which revision, and since when it says so."""
        report, _ = self.report, self._
        said = {"period": report["period"], "revision": report["revision"]}
        heads = [
            (report["company"], TOP - 12, 9, "bold", 0),
            (_("BIR compliance %(period)s, revision %(revision)s", **said), TOP - 12, 9, "regular", TA_RIGHT),
            (_("as of %s in Manila", in_manila(report["generatedAt"])), BOTTOM, 8, "regular", 0),
            (_("Page %s", canvas.getPageNumber()), BOTTOM, 8, "regular", TA_RIGHT),
        ]
        for words, y, size, face, align in heads:
            line = self.faces.paragraph(words, size, face, black if y > BOTTOM else GRAY, align)
            room = WIDTH / 2 - 6
            while line.wrap(room, 100)[1] > size * 1.25 + 0.1:
                words = f"{words.rstrip('…')[:-1]}…"
                line = self.faces.paragraph(words, size, face, black if y > BOTTOM else GRAY, align)
            line.drawOn(canvas, LEFT if align == 0 else RIGHT - room, y)
        canvas.setLineWidth(1.2)
        canvas.line(LEFT, TOP - 17, RIGHT, TOP - 17)

    def story(self):
        report, _ = self.report, self._
        filings = report["filings"]
        return [
            self.text(_("BIR compliance"), size=22, face="bold"),
            self.text(report["company"], size=13, color=GRAY),
            self.text(report["period"], size=11, color=GRAY),
            *([self.text(_("Replaces revision %s.", report["revision"] - 1), color=GRAY)] if report["revision"] > 1 else []),
            Spacer(1, 10),
            self.verdict(),
            Spacer(1, 12),
            *self.numbers(),
            *self.exposure(),
            *self.table(_("By form"), self.form_columns(), [[one["form"], one["name"], *tally(one)] for one in report["byForm"]]),
            *self.table(
                _("By person"),
                self.person_columns(),
                [[one["person"] or _("nobody is named"), self.stage(one["stage"]), *tally(one)] for one in report["byPerson"]],
            ),
            *self.table(_("Not filed in time"), self.late_columns(), [self.late(one) for one in filings if one["late"]]),
            *self.table(_("Month-end close"), self.close_columns(), [self.close(one) for one in report["closes"]]),
            *self.table(_("Cancelled or not applicable"), self.excused_columns(), said_excused(report, _)),
        ]

    def text(self, words, **style):
        return self.faces.paragraph(words, **style)

    def verdict(self):
        """What is not good enough is a black field, to be seen at a glance."""
        is_bad = self.report["rate"] is not None and self.report["rate"] < ENOUGH
        color = white if is_bad else black
        headline, words = said_verdict(self.report, self._)
        field = Table([[self.text(headline, size=18, face="bold", color=color)], [self.text(words, color=color)]], [WIDTH])
        padding = [("LEFTPADDING", (0, 0), (-1, -1), 14), ("TOPPADDING", (0, 0), (0, 0), 8), ("BOTTOMPADDING", (0, 1), (-1, -1), 10)]
        field.setStyle([*padding, ("BACKGROUND", (0, 0), (-1, -1), black) if is_bad else ("BOX", (0, 0), (-1, -1), 1.2, black)])
        return field

    def numbers(self):
        cells = said_numbers(self.report, self._)
        rows = [cells[start : start + 4] for start in range(0, len(cells), 4)]
        shown = [
            [[self.text(value, size=13, face="bold"), self.text(label, size=8.5, color=GRAY)] for label, value in row] + [""] * (4 - len(row))
            for row in rows
        ]
        table = Table(shown, [WIDTH / 4] * 4)
        table.setStyle([("LEFTPADDING", (0, 0), (-1, -1), 0), ("VALIGN", (0, 0), (-1, -1), "TOP"), ("BOTTOMPADDING", (0, 0), (-1, -1), 8)])
        return [table]

    def exposure(self):
        lines = said_exposure(self.report, self._)
        return [self.heading(self._("Exposure (an estimate)")), *(self.text(line) for line in lines), Spacer(1, 10)] if lines else []

    def heading(self, words):
        table = Table([[self.text(words, size=10.5, face="bold")]], [WIDTH])
        table.setStyle([("LEFTPADDING", (0, 0), (-1, -1), 0), ("LINEBELOW", (0, 0), (-1, -1), 0.5, black), ("BOTTOMPADDING", (0, 0), (-1, -1), 2)])
        table.keepWithNext = True
        return table

    def table(self, title, columns, rows):
        """A title, and the rows below it; the columns' names again on each page."""
        if not rows:
            return [self.heading(title), self.text(self._("None.")), Spacer(1, 10)]
        head = [self.text(name, size=8.5, color=GRAY, align=align) for name, _room, align in columns]
        body = [[self.text(clip(value), align=align) for value, (_name, _room, align) in zip(row, columns)] for row in rows]
        table = Table([head, *body], [room for _name, room, _align in columns], repeatRows=1)
        table.setStyle(
            [
                ("LEFTPADDING", (0, 0), (-1, -1), 0),
                ("RIGHTPADDING", (0, 0), (-1, -1), 6),
                ("TOPPADDING", (0, 0), (-1, -1), 1),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 1.5),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ]
        )
        return [self.heading(title), table, Spacer(1, 10)]

    # Columns: name, room in points, and where its words stand.

    def tally_columns(self):
        _ = self._
        return [(_("Due"), 44, TA_RIGHT), (_("In time"), 50, TA_RIGHT), (_("Late"), 44, TA_RIGHT), (_("Rate"), 52, TA_RIGHT)]

    def form_columns(self):
        return [(self._("Form"), 80, 0), (self._("Name"), WIDTH - 80 - 190, 0), *self.tally_columns()]

    def person_columns(self):
        return [(self._("Person"), WIDTH - 90 - 190, 0), (self._("For"), 90, 0), *self.tally_columns()]

    def late_columns(self):
        _ = self._
        named = [(_("Deadline"), 66, 0), (_("Form"), 80, 0), (_("Period"), 70, 0), (_("Filed"), 66, 0), (_("Days late"), 54, TA_RIGHT)]
        return [*named, (_("Prepared by"), WIDTH - 336, 0)]

    def excused_columns(self):
        _ = self._
        named = [(_("Form"), 66, 0), (_("Period"), 66, 0), (_("What"), 74, 0), (_("Decided by"), 90, 0), (_("On"), 62, 0)]
        return [*named, (_("Why"), WIDTH - 358, 0)]

    def close_columns(self):
        _ = self._
        counted = [(_("Tasks"), 60, TA_RIGHT), (_("Done"), 60, TA_RIGHT), (_("In time"), 60, TA_RIGHT), (_("Late"), 60, TA_RIGHT)]
        return [(_("Period"), WIDTH - 360, 0), *counted, (_("Working days to close"), 120, TA_RIGHT)]

    def stage(self, stage):
        _ = self._
        return {"preparation": _("preparation"), "review": _("review"), "approval": _("approval")}[stage]

    def late(self, one):
        _ = self._
        filed = one["filedOn"] or _("not yet")
        days = "" if one["daysLate"] is None else number(one["daysLate"])
        return [one["deadline"], one["form"], one["period"], filed, days, one["preparedBy"] or _("nobody is named")]

    def close(self, one):
        days = self._("open") if one["days"] is None else number(one["days"])
        return [one["period"], *(number(one[name]) for name in ("tasks", "done", "onTime", "late")), days]


# What is said of a report in the pages and in the mail alike.


def said_verdict(report, _):
    """A headline and a sentence."""
    if report["total"] == 0:
        return _("Nothing was due"), _("No deadline lies in this month, so there is no rate.")
    if report["rate"] is None:
        return _("Nothing due yet"), _("Open in time: %s. No deadline has passed, so there is no rate.", number(report["openInTime"]))
    judged = number(report["total"] - report["openInTime"])
    return _("%s filed in time", percent(report["rate"])), _(
        "%(on_time)s of %(judged)s that were due.", on_time=number(report["filedOnTime"]), judged=judged
    )


def said_numbers(report, _):
    """Names and values; what was not there to be measured is a dash."""
    closes = report["closes"]
    days = ", ".join(number(one["days"]) for one in closes if one["days"] is not None)
    levels = ", ".join(_("%(count)s × level %(level)s", **one) for one in report["escalations"])
    return [
        (_("due"), number(report["total"])),
        (_("filed in time"), number(report["filedOnTime"])),
        (_("filed late"), number(report["filedLate"])),
        (_("late and open"), number(report["openLate"])),
        (_("open, in time"), number(report["openInTime"])),
        (_("does not apply"), number(report["notApplicable"])),
        (_("days between filing and deadline"), "–" if report["leadDays"] is None else f"{report['leadDays']:g}"),
        (_("of the filings' tasks done"), "–" if report["completion"] is None else percent(report["completion"])),
        (_("tasks of the close in time"), ", ".join(f"{number(one['onTime'])} / {number(one['tasks'])}" for one in closes) or "–"),
        (_("working days to close"), days or "–"),
        (_("escalations"), levels or _("none")),
    ]


def said_exposure(report, _):
    """Sentences about what the late filings may cost; none where nothing is late."""
    found = report["exposure"]
    if found is None or not found["basis"]:
        return []
    unknown = [_("Of %s late filings nobody has entered an amount: they are not in it.", number(found["unknown"]))] if found["unknown"] else []
    if found["amount"] is None:
        return [_("No amount due is known, so nothing can be said."), *unknown]
    names = {"surcharge": _("surcharge"), "interest": _("interest"), "compromise": _("compromise"), "fines": _("fines for lists")}
    parts = ", ".join(f"{name} {pesos(found[key])}" for key, name in names.items() if found[key])
    size = found["size"] or _("unknown size: the higher rates")
    return [
        _("%(sum)s until %(day)s (%(parts)s), for a taxpayer of this size: %(size)s.", sum=pesos(found["amount"]), day=found["until"], parts=parts, size=size),
        *([_("Each day that what is open stays so adds %s.", pesos(found["perDay"]))] if found["perDay"] else []),
        *unknown,
        _("By %(basis)s; confidence: %(confidence)s.", basis="; ".join(found["basis"]), confidence=found["confidence"]),
    ]


def clip(value):
    """Some names of forms are that long, and reasons may be any length."""
    words = str(value)
    return words if len(words) <= MOST_LETTERS else f"{words[:MOST_LETTERS]} …"


def said_excused(report, _):
    """What is not filed, with who decided that, when and why: form, period, what, who, day, reason."""
    names = {"cancelled": _("cancelled"), "not_applicable": _("does not apply")}
    unknown = _("not recorded")
    return [
        [one["form"], one["period"], names[one["status"]], one["excusedBy"] or unknown, one["excusedOn"] or "–", one["reason"] or unknown]
        for one in report["filings"]
        if one["status"] in names
    ]


def tally(one):
    """Due, in time, late, rate. What is open and not late yet is judged neither here nor in the whole rate."""
    judged = one["onTime"] + one["late"]
    return [*(number(one[name]) for name in ("total", "onTime", "late")), percent(100 * one["onTime"] / judged) if judged else "–"]


def in_manila(instant):
    """An instant in UTC as it is told, to the minute."""
    return f"{datetime.fromisoformat(instant.rstrip('Z')) + timedelta(hours=8):%Y-%m-%d %H:%M}"


def number(value):
    return "–" if value is None else f"{value:,}"


def percent(value):
    return f"{round(value, 1):g} %"


def pesos(value):
    return f"₱{value:,.2f}"
