"""The codes of landmarks in ISO/IEC 39794-5 records, in the ICAO application profile.

Left and right are those of the person. The names are those of the schema; its notice stands in ``blocks``.
"""

from enum import IntEnum

__all__ = ["AnthropometricName", "AnthropometricPoint", "AnthropometricPointId", "Mpeg4Point", "point_code"]


class Mpeg4Point(IntEnum):
    """A feature point of MPEG-4, such as 12.1, the centre of the left eye."""

    POINT_2_1 = 0
    POINT_2_2 = 1
    POINT_2_3 = 2
    POINT_2_4 = 3
    POINT_2_5 = 4
    POINT_2_6 = 5
    POINT_2_7 = 6
    POINT_2_8 = 7
    POINT_2_9 = 8
    POINT_2_10 = 9
    POINT_2_11 = 10
    POINT_2_12 = 11
    POINT_2_13 = 12
    POINT_2_14 = 13
    POINT_3_1 = 14
    POINT_3_2 = 15
    POINT_3_3 = 16
    POINT_3_4 = 17
    POINT_3_5 = 18
    POINT_3_6 = 19
    POINT_3_7 = 20
    POINT_3_8 = 21
    POINT_3_9 = 22
    POINT_3_10 = 23
    POINT_3_11 = 24
    POINT_3_12 = 25
    POINT_3_13 = 26
    POINT_3_14 = 27
    POINT_4_1 = 28
    POINT_4_2 = 29
    POINT_4_3 = 30
    POINT_4_4 = 31
    POINT_4_5 = 32
    POINT_4_6 = 33
    POINT_5_1 = 34
    POINT_5_2 = 35
    POINT_5_3 = 36
    POINT_5_4 = 37
    POINT_6_1 = 38
    POINT_6_2 = 39
    POINT_6_3 = 40
    POINT_6_4 = 41
    POINT_7_1 = 42
    POINT_8_1 = 43
    POINT_8_2 = 44
    POINT_8_3 = 45
    POINT_8_4 = 46
    POINT_8_5 = 47
    POINT_8_6 = 48
    POINT_8_7 = 49
    POINT_8_8 = 50
    POINT_8_9 = 51
    POINT_8_10 = 52
    POINT_9_1 = 53
    POINT_9_2 = 54
    POINT_9_3 = 55
    POINT_9_4 = 56
    POINT_9_5 = 57
    POINT_9_6 = 58
    POINT_9_7 = 59
    POINT_9_8 = 60
    POINT_9_9 = 61
    POINT_9_10 = 62
    POINT_9_11 = 63
    POINT_9_12 = 64
    POINT_9_13 = 65
    POINT_9_14 = 66
    POINT_9_15 = 67
    POINT_10_1 = 68
    POINT_10_2 = 69
    POINT_10_3 = 70
    POINT_10_4 = 71
    POINT_10_5 = 72
    POINT_10_6 = 73
    POINT_10_7 = 74
    POINT_10_8 = 75
    POINT_10_9 = 76
    POINT_10_10 = 77
    POINT_11_1 = 78
    POINT_11_2 = 79
    POINT_11_3 = 80
    POINT_11_4 = 81
    POINT_11_5 = 82
    POINT_11_6 = 83
    POINT_12_1 = 84
    POINT_12_2 = 85
    POINT_12_3 = 86
    POINT_12_4 = 87


class AnthropometricPoint(IntEnum):
    """An anthropometric landmark by the number of its point."""

    POINT_1_1 = 0
    POINT_1_2 = 1
    POINT_1_5 = 2
    POINT_1_6 = 3
    POINT_1_7 = 4
    POINT_1_8 = 5
    POINT_1_9 = 6
    POINT_2_1 = 7
    POINT_2_2 = 8
    POINT_2_3 = 9
    POINT_2_4 = 10
    POINT_2_5 = 11
    POINT_2_6 = 12
    POINT_2_7 = 13
    POINT_2_9 = 14
    POINT_2_10 = 15
    POINT_3_1 = 16
    POINT_3_2 = 17
    POINT_3_3 = 18
    POINT_3_4 = 19
    POINT_3_5 = 20
    POINT_3_6 = 21
    POINT_3_7 = 22
    POINT_3_8 = 23
    POINT_3_9 = 24
    POINT_3_10 = 25
    POINT_3_11 = 26
    POINT_3_12 = 27
    POINT_4_1 = 28
    POINT_4_2 = 29
    POINT_4_3 = 30
    POINT_4_4 = 31
    POINT_5_1 = 32
    POINT_5_2 = 33
    POINT_5_3 = 34
    POINT_5_4 = 35
    POINT_5_6 = 36


class AnthropometricName(IntEnum):
    """An anthropometric landmark by its name."""

    VERTEX = 0
    GLABELLA = 1
    OPISTHOCRANION = 2
    EURION_LEFT = 3
    EURION_RIGHT = 4
    FRONTOTEMPORALE_LEFT = 5
    FRONTOTEMPORALE_RIGHT = 6
    TRICHION = 7
    ZYGION_LEFT = 8
    ZYGION_RIGHT = 9
    GONION_LEFT = 10
    GONION_RIGHT = 11
    SUBLABIALE = 12
    POGONION = 13
    MENTON = 14
    CONDYLION_LATERALE_LEFT = 15
    CONDYLION_LATERALE_RIGHT = 16
    ENDOCANTHION_LEFT = 17
    ENDOCANTHION_RIGHT = 18
    EXOCANTHION_LEFT = 19
    EXOCANTHION_RIGHT = 20
    CENTER_POINT_OF_PUPIL_LEFT = 21
    CENTER_POINT_OF_PUPIL_RIGHT = 22
    ORBITALE_LEFT = 23
    ORBITALE_RIGHT = 24
    PALPEBRALE_SUPERIUS_LEFT = 25
    PALPEBRALE_SUPERIUS_RIGHT = 26
    PALPEBRALE_INFERIUS_LEFT = 27
    PALPEBRALE_INFERIUS_RIGHT = 28
    ORBITALE_SUPERIUS_LEFT = 29
    ORBITALE_SUPERIUS_RIGHT = 30
    SUPERCILIARE_LEFT = 31
    SUPERCILIARE_RIGHT = 32
    NASION = 33
    SELLION = 34
    ALARE_LEFT = 35
    ALARE_RIGHT = 36
    PRONASALE = 37
    SUBNASALE = 38
    SUBALARE = 39
    ALAR_CURVATURE_LEFT = 40
    ALAR_CURVATURE_RIGHT = 41
    MAXILLOFRONTALE = 42
    CHRISTA_PHILTRA_LANDMARK_LEFT = 43
    CHRISTA_PHILTRA_LANDMARK_RIGHT = 44
    LABIALE_SUPERIUS = 45
    LABIALE_INFERIUS = 46
    CHEILION_LEFT = 47
    CHEILION_RIGHT = 48
    STOMION = 49
    SUPERAURALE_LEFT = 50
    SUPERAURALE_RIGHT = 51
    SUBAURALE_LEFT = 52
    SUBAURALE_RIGHT = 53
    PREAURALE = 54
    POSTAURALE = 55
    OTOBASION_SUPERIUS_LEFT = 56
    OTOBASION_SUPERIUS_RIGHT = 57
    OTOBASION_INFERIUS = 58
    PORION = 59
    TRAGION = 60


class AnthropometricPointId(IntEnum):
    """An anthropometric landmark by the abbreviation of its name."""

    V = 0
    G = 1
    OP = 2
    EU_LEFT = 3
    EU_RIGHT = 4
    FT_LEFT = 5
    FT_RIGHT = 6
    TR = 7
    ZY_LEFT = 8
    ZY_RIGHT = 9
    GO_LEFT = 10
    GO_RIGHT = 11
    SL = 12
    PG = 13
    GN = 14
    CDL_LEFT = 15
    CDL_RIGHT = 16
    EN_LEFT = 17
    EN_RIGHT = 18
    EX_LEFT = 19
    EX_RIGHT = 20
    P_LEFT = 21
    P_RIGHT = 22
    OR_LEFT = 23
    OR_RIGHT = 24
    PS_LEFT = 25
    PS_RIGHT = 26
    PI_LEFT = 27
    PI_RIGHT = 28
    OS_LEFT = 29
    OS_RIGHT = 30
    SCI_LEFT = 31
    SCI_RIGHT = 32
    N = 33
    SE = 34
    AL_LEFT = 35
    AL_RIGHT = 36
    PRN = 37
    SN = 38
    SBAL = 39
    AC_LEFT = 40
    AC_RIGHT = 41
    MF_LEFT = 42
    MF_RIGHT = 43
    CPH_LEFT = 44
    CPH_RIGHT = 45
    LS = 46
    LI = 47
    CH_LEFT = 48
    CH_RIGHT = 49
    STO = 50
    SA_LEFT = 51
    SA_RIGHT = 52
    SBA_LEFT = 53
    SBA_RIGHT = 54
    PRA_LEFT = 55
    PRA_RIGHT = 56
    PA = 57
    OBS_LEFT = 58
    OBS_RIGHT = 59
    OBI = 60
    PO = 61
    T = 62


def point_code(point: Mpeg4Point | AnthropometricPoint) -> int:
    """Returns the code of the point in a 19794-5 record: the group and the number, four bits each."""
    _, group, number = point.name.split("_")
    return int(group) << 4 | int(number)
