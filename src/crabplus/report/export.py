"""Answers about one's own files in formats that other programs read: CSV, SRT subtitles, COCO's boxes and masks."""

from crabplus.report.coco import write_coco
from crabplus.report.sheet import write_csv
from crabplus.report.subtitles import write_srt

__all__ = ["write_coco", "write_csv", "write_srt"]
