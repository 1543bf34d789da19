"""Words that say nothing of a theme, in languages that many apps hear; what denies (not, kein) says much. Pure."""

from __future__ import annotations

from typing import Final

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

# In scikit-learn's list, and yet what people write about, or what turns a sentence round.
_TELLING: Final = """
back bill bottom call cannot cant computer couldnt cry describe detail empty fill find fire front full hasnt interest
move never no none nor not nothing nowhere part serious show sincere system top without
"""
_BY_LANGUAGE: Final = {
    "English": """
app apps did do does don get got i'm im it's just like ll lot now re really still ve very
""",
    "German": """
aber als also am an auch auf aus bei bin bis da das dass dem den der des die dies diese dieser doch du durch ein eine
einem einen einer es für hat hatte ich ihr im in ist ja kann man mein meine meinem meinen meiner mich mir mit nach noch
nun nur ob oder schon sehr sein seine sich sie sind so um und uns von vor war was wenn wer wie wir wird zu zum zur zwar
""",
    "Spanish": """
al algo como con cuando de del desde donde el ella ellos en era es esa ese eso esta este esto están está fue ha hay la
las le les lo los me mi mis muy más o para pero por porque que se ser si sobre son su sus también te un una uno y ya yo
""",
    "French": """
ai au aux avec c'est ce ces cette dans de des du elle en est et eux il ils j'ai je la le les leur lui ma mais me mes mon
nous on ou par plus pour qu que qui sa se ses son sont sur ta te tes toi ton très tu un une vous été être
""",
    "Portuguese": """
ao aos as com como da das de dele do dos e ela ele em entre era essa esse esta este eu foi isso isto já lhe mais mas me
meu minha muito na nas no nos o os ou para pela pelo por que quando se ser seu sua são também tem um uma você à às é
""",
    "Italian": """
agli ai al alla alle anche che chi ci come con da dal dalla dei del della delle di e ed era gli ha ho i il in io la le
lo loro ma mi mia mio molto nel nella nelle o per perché più quando quella quello questa questo se si sono su sua suo ti
tra tu un una uno è
""",
    "Dutch": """
aan als bij dan dat de deze die dit door een en er had heb hebben heeft het hij hoe hun ik in is je kan maar me met mij
mijn naar nog of om onder ook op over te tot u uit van voor was wat we wel werd wij worden ze zich zij zijn zo zou
""",
}
_LISTED: Final = frozenset(word for words in _BY_LANGUAGE.values() for word in words.split())
STOP_WORDS: Final = (ENGLISH_STOP_WORDS | _LISTED) - frozenset(_TELLING.split())


def says_something(term: str) -> bool:
    """Return whether a word, or a pair of words, neither begins nor ends with one that says nothing."""
    words = term.split()
    return bool(words) and not {words[0], words[-1]} & STOP_WORDS
