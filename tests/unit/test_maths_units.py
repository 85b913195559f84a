r"""Units: symbols with their prefixes, names in words, and compound units in each notation."""

import pytest
from maths_tables import check_verdicts

from r1_verifiers.maths.units import differ, factors, unit_name

# gold answer: answers that are right, answers that are wrong
UNITS: dict[str, tuple[list[str], list[str]]] = {
    # prefixes
    r"5 \text{ kN}": ([r"5\text{ kN}", "5", "5 kN", r"5\mathrm{~kN}", r"5 \text{ kilonewtons}", "5 kilonewton", r"5\,\mathrm{kN}"], [r"5\text{ N}", r"5\text{ MN}", r"5\text{ mN}", "5 N", "5 newtons", r"5\text{ kg}", "6 kN"]),
    r"3 \text{ mA}": ([r"3\text{ mA}", "3 mA", "3 milliamps", r"3\mathrm{~mA}", "3"], [r"3\text{ A}", r"3\text{ V}", r"3\text{ kA}", "3 A", r"3\,\mu\text{A}", r"3\text{ mA}\cdot\text{s}", "3 amps"]),
    r"10 \text{ MHz}": (["10 MHz", "10 megahertz", r"10\mathrm{~MHz}", "10"], [r"10\text{ kHz}", r"10\text{ Hz}", r"10\text{ mHz}", r"10\text{ GHz}", "10 kHz", "10 hertz"]),
    r"5 \text{ mg}": (["5 mg", "5 milligrams", "5"], [r"5\text{ Mg}", r"5\text{ g}", r"5\text{ kg}", r"5\,\mu\mathrm{g}", "5 megagrams"]),
    r"2 \text{ MeV}": (["2 MeV", r"2\mathrm{~MeV}"], [r"2\text{ meV}", r"2\text{ eV}", r"2\text{ keV}", r"2\text{ GeV}", r"2\text{ MV}"]),
    r"10 \text{ nm}": (["10 nm", "10 nanometers"], [r"10\text{ Nm}", r"10\text{ mm}", r"10\text{ N m}", r"10\,\mu\text{m}", "10 m"]),
    r"50 \mathrm{~mL}": (["50 ml", "50 mL", "50 milliliters", r"50\text{ ml}"], [r"50\text{ ML}", r"50\text{ L}", "50 cl", "50 liters"]),
    r"100 \mathrm{~kPa}": (["100 kPa", "100 kilopascals"], [r"100\text{ MPa}", r"100\text{ hPa}", r"100\text{ atm}", r"100\text{ Pa}", r"100\text{ bar}", r"100\text{ psi}"]),
    r"9 \text{ J}": (["9 J", "9 joules"], [r"9\text{ kcal}", r"9\text{ cal}", r"9\text{ kJ}", r"9\text{ W}", r"9\text{ eV}", r"9\text{ Wh}"]),
    r"2 \mathrm{~MJ}": (["2", r"2\text{ MJ}", "2 MJ", "2 megajoules"], [r"2\text{ mJ}", r"2\text{ kJ}", r"2\text{ J}", r"2\text{ GJ}"]),
    r"3 \text{ kg}": ([r"3\text{ KG}", "3 Kg", "3 kilograms"], [r"3\text{ g}", r"3\text{ K}", "3 pounds", "3 mg"]),
    r"5 \text{ mm}": (["5 millimetres", r"5\text{ MM}"], [r"5\text{ Mm}", r"5\text{ cm}", "5 megameters"]),
    r"2 \text{ kWh}": ([r"2\text{ kW}\cdot\text{h}", "2 kWh", r"2\mathrm{~kW\,h}"], [r"2\text{ kW}", r"2\text{ Wh}", r"2\text{ kW/h}", r"2\text{ MWh}"]),
    r"15 \mathrm{~g}": (["15", "15 g", "15 grams"], [r"15\mathrm{~dg}", r"15\mathrm{~cg}", r"15\text{ cg}", "15 centigrams", "15 decigrams", r"15\mathrm{~Tg}", "15 dg"]),
    r"5 \mathrm{~s}": (["5 seconds", "5 s"], [r"5\mathrm{~as}", r"5\mathrm{~cs}", "5 attoseconds"]),
    r"5 \mathrm{~T}": (["5 T"], [r"5\mathrm{~cT}", "5 kiloteslas"]),
    r"5 \mathrm{~K}": (["5 K", "5 kelvins"], [r"5\mathrm{~kK}", "5 kilokelvins"]),
    r"8 \mathrm{~GB}": (["8 GB", "8 gigabytes"], [r"8\mathrm{~Gb}", r"8\text{ Gb}", "8 gigabits", "8 bits"]),
    r"5 \mathrm{~nm}": (["5 nanometers"], ["5 picometers", r"5\mathrm{~pm}"]),
    r"3 \text{ liters}": (["3 L", "3 l"], [r"3\mathrm{~hL}", r"3\mathrm{~daL}", "3 hectoliters", "3 decaliters"]),
    r"20 \mathrm{~m/s}": (["20 m/s"], [r"20\mathrm{~m/cs}", r"20\mathrm{~hm/s}", "20 decameters per second"]),
    # single letters, set upright
    r"7 \mathrm{~A}": (["7", r"7\text{ A}", "7 A", "7 amperes", "7 amps"], [r"7\text{ V}", r"7\text{ C}", r"7\text{ mA}", "8", r"7\text{ A s}"]),
    r"7 \mathrm{~C}": (["7", r"7\text{ C}", "7 C", "7 coulombs", r"7\mathrm{C}"], [r"7\text{ F}", r"7\text{ mC}", "7 V", "7^\\circ C"]),
    r"7 \mathrm{~T}": (["7", "7 tesla", r"7\text{ T}"], [r"7\text{ mT}", r"7\text{ Wb}", r"7\text{ t}"]),
    r"10 \mathrm{~F}": (["10", "10 farads", r"10\text{ F}"], [r"10\,\mu\text{F}", r"10\text{ H}", r"10\text{ pF}"]),
    r"7 \mathrm{~H}": (["7", "7 henries", r"7\text{ H}"], [r"7\text{ mH}", r"7\text{ h}", r"7\text{ Hz}"]),
    "7": ([r"7\text{ C}", r"7 \mathrm{~T}", r"7 \mathrm{~A}", r"7\,\Omega", r"7 \text{ kN}", "7 m"], ["7T", "7C", "7x", r"8\text{ C}", "7Q", "7kN"]),
    r"1.6 \times 10^{-19} \mathrm{C}": ([r"1.6\times10^{-19}", r"1.6\times 10^{-19}\text{ coulombs}", r"1.6\times10^{-19}\text{ C}"], [r"1.6\times10^{-19}\text{ J}", r"1.6\times10^{-18}\text{ C}", r"1.6\times10^{-19}\text{ eV}"]),
    # ohms, micro, angstrom
    r"5\Omega": ([r"5\text{ ohms}", "5 ohm", "5", r"5\ \Omega", "5Ω", r"5\mathrm{~\Omega}", r"5\,\mathrm{\Omega}"], [r"5\text{ k}\Omega", r"5\mathrm{~k\Omega}", r"5\text{ V}", "6Ω", "5kΩ"]),
    r"20 \mathrm{~k\Omega}": ([r"20\text{ k}\Omega", "20 kΩ", r"20\ k\Omega", "20 kiloohms", "20"], [r"20\ \Omega", r"20\text{ M}\Omega", "20 ohms", r"20\text{ kV}"]),
    r"5 \mu \mathrm{m}": ([r"5\text{ micrometers}", "5 μm", "5 µm", r"5 \mu m", r"5\text{ }\mu\text{m}", r"5\,\mathrm{\mu m}", "5 microns", "5"], [r"5\text{ mm}", r"5\text{ nm}", r"5\text{ m}", r"5\,\mu\text{s}"]),
    r"5 \mathrm{~\mu F}": (["5 μF", r"5\,\mu\mathrm{F}", "5 microfarads"], [r"5\text{ mF}", r"5\text{ F}", r"5\,\mu\text{A}"]),
    r"3 \mathrm{~\AA}": ([r"3\ \mathring{\mathrm{A}}", "3 Å", "3 angstroms"], [r"3\text{ nm}", r"3\text{ A}"]),
    # compound units
    r"5 \text{ m/s}": ([r"5\,\mathrm{m\,s^{-1}}", r"5\frac{\text{m}}{\text{s}}", r"5\,\frac{\mathrm{m}}{\mathrm{s}}", r"5\text{ m s}^{-1}", r"5\ \mathrm{m\cdot s^{-1}}", "5 m/s", "5 m·s⁻¹", "5 meters per second", "5", r"5\text{ m}/\text{s}"], [r"5\text{ m/s}^2", r"5\,\mathrm{m\,s}", r"5\text{ km/h}", r"5\frac{\text{s}}{\text{m}}", r"5\text{ m}", r"5\text{ s}", "5 km/s", r"5\,\mathrm{m\,s^{-2}}", "5 s/m"]),
    r"9.8 \mathrm{~m/s}^2": ([r"9.8 \frac{\text{m}}{\text{s}^2}", r"9.8\,\mathrm{m\,s^{-2}}", r"9.8\ \mathrm{m\cdot s^{-2}}", "9.8 m·s⁻²", "9.8 m/s²", "9.8 m/s/s", "9.8 meters per second squared", r"9.8\mathrm{~ms^{-2}}"], [r"9.8\text{ m/s}", r"9.8\text{ m s}^2", r"9.8\frac{\text{m}^2}{\text{s}^2}", r"9.8\text{ N}", "9.8 m²/s", r"9.8\,\mathrm{m\,s^{-1}}", "9.8 square meters per second"]),
    r"0.5 \mathrm{~kg} \cdot \mathrm{m} / \mathrm{s}": ([r"0.5\ \mathrm{kg\,m\,s^{-1}}", r"0.5\text{ kg m/s}", r"0.5\text{ kg}\cdot\text{m/s}", "0.5 kg·m/s", r"0.5\frac{\text{kg}\cdot\text{m}}{\text{s}}", "0.5", "0.5 kg m/s"], [r"0.5\text{ kg m/s}^2", r"0.5 \text{ g m/s}", r"0.5\text{ kg cm/s}", r"0.5\text{ kg/s}", r"0.5\text{ kg m}", r"0.5\text{ N}"]),
    r"4 \text{ kg m/s}": (["4", r"4\text{ kg}\cdot\text{m/s}", r"4\text{ m kg/s}"], [r"4\text{ kg m/s}^2", r"4\text{ g m/s}", r"4\text{ kg cm/s}", "5"]),
    r"6 \text{ N m}": (["6", r"6\text{ N}\cdot\text{m}", r"6\text{ Nm}", "6 N m", r"6\,\mathrm{N\,m}", r"6\mathrm{~N}-\mathrm{m}"], [r"6\text{ N/m}", r"6\text{ nm}", r"6\text{ N}", r"6\text{ kN m}", r"6\text{ J}"]),
    r"10 \mathrm{~N} \cdot \mathrm{m}": ([r"10\text{ Nm}", r"10\text{ N m}"], [r"10 \text{ N cm}", r"10\text{ nm}", r"10\text{ N}"]),
    r"1000 \mathrm{~kg} / \mathrm{m}^3": ([r"1000\,\mathrm{kg\,m^{-3}}", r"1000\text{ kg/m}^3", r"1000\,\frac{\mathrm{kg}}{\mathrm{m}^3}", "1000 kg per cubic meter"], [r"1000\text{ g/m}^3", r"1000\text{ kg/m}^2", r"1000\text{ kg m}^3", r"1000\,\mathrm{kg\,m^{3}}", r"1000\text{ g/cm}^3"]),
    r"450 \mathrm{~J/(kg\cdot K)}": ([r"450\text{ J/kg K}", r"450\,\mathrm{J\,kg^{-1}K^{-1}}", r"450\frac{\text{J}}{\text{kg}\cdot\text{K}}", r"450\text{ J/(kg K)}", r"450\text{ J/kg/K}"], [r"450\text{ J/kg}", r"450\text{ J K/(kg)}^2", r"450\text{ J/g K}", r"450\text{ kJ/(kg K)}"]),
    r"15 \text{ m}^2": (["15 square meters", r"15\mathrm{~m^2}", "15 m²", r"15\text{ m}\cdot\text{m}", "15 meters squared"], [r"15\text{ m}", r"15\text{ m}^3", r"15\text{ cm}^2", "15 cubic meters", r"15\text{ m}^{-2}"]),
    # a gold answer whose unit is not set apart
    "5 m/s": ([r"5\text{ m/s}", r"5\,\mathrm{m\,s^{-1}}", "5m/s", r"\frac{5m}{s}"], [r"5\text{ km/s}", r"5\text{ m/s}^2", r"6\text{ m/s}", "5 s/m"]),
    # other units
    "5 dollars per hour": (["5", r"\$5 per hour", "5 dollars/hour"], ["5 cents per hour", "5 dollars per day"]),
    r"20^\circ\mathrm{C}": (["20", r"20^\circ C", r"20^{\circ}\mathrm{C}", "20°C"], [r"20^\circ\mathrm{F}", r"20\text{ K}", r"20\text{ C}\cdot\text{m}"]),
    r"30^\circ C": (["30 degrees Celsius", "30 degrees C", r"30\text{ degrees Celsius}", r"30^\circ\text{ Celsius}", "30 Celsius", "30 degrees"], ["30 degrees Fahrenheit", "30 degrees F", r"30\text{ degrees Fahrenheit}", r"30^\circ\text{ Fahrenheit}", "30 Fahrenheit", "30 K", "30 radians"]),
    "30 degrees Fahrenheit": ([r"30^\circ F", "30", "30°F"], [r"30^\circ C", "30 degrees Celsius", "30 K"]),
    r"30^\circ": (["30", "30 degrees"], ["30 degrees Celsius", "30°F"]),
    "12 apples": ([r"12\text{ apples}", "12"], ["13 apples"]),
    r"60 \text{ mph}": (["60 miles per hour", r"60\text{ mi/h}", r"60\frac{\text{mi}}{\text{h}}"], [r"60\text{ km/h}", r"60\text{ kph}", r"60\text{ mi}"]),
    # letters are letters where nothing measures with them
    r"2\mathrm{C}_5^2": (["20", r"2\binom52"], ["2", "4"]),
    r"2\sin\mathrm{A}": ([r"2\sin A"], ["2"]),
    "3kT": (["3Tk"], ["3", r"3k", r"3\text{ K}"]),
    "2mg": ([r"2\text{ mg}"], [r"2\text{ Mg}"]),
    r"5\mathrm{x}": (["5x"], ["5"]),
    r"5x": (["5*x"], [r"5\text{ as } x", r"5\text{ at } x"]),
    r"2\mathrm{PA}": (["2PA", "2AP"], ["2"]),
}  # fmt: skip


@pytest.mark.parametrize("gold", UNITS)
def test_units_are_the_same_in_each_notation_and_differ_by_prefix_and_exponent(gold):
    check_verdicts(gold, UNITS[gold])


def test_a_unit_is_a_product_of_symbols():
    assert factors("kg*m/s^2") == {"kg": 1, "m": 1, "s": -2}
    assert factors("J/kg*K") == factors("J*kg^-1*K^-1") == {"J": 1, "kg": -1, "K": -1}
    assert factors("m*m") == {"m": 2}
    assert factors("apples") is factors("kg*apples") is factors("") is None
    assert differ("m/s", "m*s") and differ("mg", "Mg") and not differ("m/s", "m*s^-1")
    assert not differ("apples", "kg") and not differ("%", "kg") and not differ("", "kg")


def test_a_symbol_is_known_by_its_case_and_a_name_is_not():
    assert [unit_name(word) for word in ("mW", "MW", "Mw", "kilowatts", "Kilowatts", "KILOWATTS")] == [
        "mW", "MW", "mw", "kW", "kW", "kW",
    ]  # fmt: skip
    assert unit_name("Nm") == "N*m" and unit_name("nm") == "nm" and unit_name("mL") == unit_name("ml") == "ml"
