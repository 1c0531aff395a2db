using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Godwit.Base;

/// <summary>How a quantity's suffix counts.</summary>
public enum QuantityFormat
{
    /// <summary>n u m (none) k M G T P E: powers of 1000.</summary>
    DecimalSI,

    /// <summary>Ki Mi Gi Ti Pi Ei: powers of 1024.</summary>
    BinarySI,

    /// <summary>e3, e6 …: powers of ten, kept multiples of three.</summary>
    DecimalExponent,
}

/// <summary>
/// A Kubernetes resource quantity: a decimal number with an SI, binary or exponent suffix (<c>250m</c>, <c>512Mi</c>,
/// <c>1e3</c>). Held to a billionth, finer parts are rounded away from zero; the magnitude is at most 2^63−1, more is refused.
/// Two quantities are equal when their values are: <c>1Gi</c> equals <c>1024Mi</c>.
/// <para><see cref="ToString"/> is the canonical form: no fraction, the largest suffix that loses nothing.
/// Source: the Kubernetes API reference, <c>Quantity</c>.</para>
/// </summary>
[JsonConverter(typeof(QuantityJsonConverter))]
public readonly struct Quantity : IEquatable<Quantity>, IComparable<Quantity>
{
    /// <summary>The longest text that is looked at, in characters.</summary>
    public const int TextLengthMax = 64;

    private const string DecimalSuffixes = "num kMGTPE";
    private const string BinarySuffixes = " KMGTPE";
    private static readonly System.Buffers.SearchValues<char> NumberCharacters = System.Buffers.SearchValues.Create("0123456789.");
    private const decimal Nano = 1_000_000_000m;

    public Quantity(decimal value, QuantityFormat format)
    {
        if (!TryRound(value, out var rounded))
        {
            throw new ArgumentOutOfRangeException(nameof(value), value, $"A quantity lies between -{long.MaxValue} and {long.MaxValue}.");
        }

        Value = rounded;
        Format = format;
    }

    /// <summary>The number itself, in units of the resource (bytes, cores).</summary>
    public decimal Value { get; }

    public QuantityFormat Format { get; }

    public static Quantity FromBytes(long bytes) => new(bytes, QuantityFormat.BinarySI);

    public static Quantity FromMilli(long thousandths) => new(thousandths / 1000m, QuantityFormat.DecimalSI);

    public static Quantity FromCount(long count) => new(count, QuantityFormat.DecimalSI);

    /// <exception cref="FormatException">The text is no quantity, or one out of range.</exception>
    public static Quantity Parse(string text) =>
        TryParse(text, out var quantity)
            ? quantity
            : throw new FormatException($"\"{Shorten(text)}\" is no quantity: expected a number with an optional suffix such as m, k, M, G, Ki, Mi, Gi or e3.");

    public static bool TryParse(ReadOnlySpan<char> text, out Quantity quantity)
    {
        quantity = default;
        if (text.IsEmpty || text.Length > TextLengthMax)
        {
            return false;
        }

        var numberLength = NumberLength(text);
        if (numberLength == 0
            || !decimal.TryParse(text[..numberLength], NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)
            || !TryParseSuffix(text[numberLength..], out var format, out var exponent)
            || !TryScale(number, format, exponent, out var scaled)
            || !TryRound(scaled, out var value))
        {
            return false;
        }

        quantity = new Quantity(value, format);
        return true;
    }

    /// <summary>The value in whole units, rounded up, as a scheduler must count a need.</summary>
    public long ToInt64() => (long)Math.Ceiling(Value);

    /// <summary>The value in thousandths, rounded up; at most <see cref="long.MaxValue"/>.</summary>
    public long ToMilli()
    {
        var milli = Math.Ceiling(Value * 1000m);
        return milli >= long.MaxValue ? long.MaxValue : milli <= -long.MaxValue ? -long.MaxValue : (long)milli;
    }

    public int CompareTo(Quantity other) => Value.CompareTo(other.Value);

    public bool Equals(Quantity other) => Value == other.Value;

    public override bool Equals(object? obj) => obj is Quantity other && Equals(other);

    public override int GetHashCode() => Value.GetHashCode();

    public static bool operator ==(Quantity left, Quantity right) => left.Equals(right);

    public static bool operator !=(Quantity left, Quantity right) => !left.Equals(right);

    public static bool operator <(Quantity left, Quantity right) => left.Value < right.Value;

    public static bool operator >(Quantity left, Quantity right) => left.Value > right.Value;

    public static bool operator <=(Quantity left, Quantity right) => left.Value <= right.Value;

    public static bool operator >=(Quantity left, Quantity right) => left.Value >= right.Value;

    /// <summary>The canonical form.</summary>
    public override string ToString()
    {
        if (Value == 0)
        {
            return "0";
        }

        // Small or fractional numbers have no exact binary suffix: they are written as decimals, as Kubernetes does.
        return Format == QuantityFormat.BinarySI && Math.Abs(Value) >= 1024 && decimal.IsInteger(Value) ? BinaryText() : DecimalText();
    }

    private string BinaryText()
    {
        var mantissa = (long)Value;
        var power = 0;
        while (mantissa % 1024 == 0 && power < BinarySuffixes.Length - 1)
        {
            mantissa /= 1024;
            power++;
        }

        var digits = mantissa.ToString(CultureInfo.InvariantCulture);
        return power == 0 ? digits : $"{digits}{BinarySuffixes[power]}i";
    }

    private string DecimalText()
    {
        var mantissa = Value * Nano;
        var power = -3;
        while (mantissa % 1000 == 0 && power < 6)
        {
            mantissa /= 1000;
            power++;
        }

        var digits = decimal.Truncate(mantissa).ToString("F0", CultureInfo.InvariantCulture);
        return power == 0 ? digits
            : Format == QuantityFormat.DecimalExponent ? string.Create(CultureInfo.InvariantCulture, $"{digits}e{power * 3}")
            : $"{digits}{DecimalSuffixes[power + 3]}";
    }

    private static int NumberLength(ReadOnlySpan<char> text)
    {
        var start = text[0] is '+' or '-' ? 1 : 0;
        var rest = text[start..];
        var end = rest.IndexOfAnyExcept(NumberCharacters);
        return end < 0 ? text.Length : start + end;
    }

    private static bool TryParseSuffix(ReadOnlySpan<char> suffix, out QuantityFormat format, out int power)
    {
        format = QuantityFormat.DecimalSI;
        power = 0;
        if (suffix.IsEmpty)
        {
            return true;
        }

        if (suffix.Length == 1 && suffix[0] != ' ' && DecimalSuffixes.IndexOf(suffix[0], StringComparison.Ordinal) is >= 0 and var si)
        {
            power = (si - 3) * 3;
            return true;
        }

        if (suffix.Length == 2 && suffix[1] == 'i' && suffix[0] != ' ' && BinarySuffixes.IndexOf(suffix[0], StringComparison.Ordinal) is > 0 and var binary)
        {
            format = QuantityFormat.BinarySI;
            power = binary;
            return true;
        }

        format = QuantityFormat.DecimalExponent;
        return suffix[0] is 'e' or 'E'
            && int.TryParse(suffix[1..], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out power)
            && power is >= -28 and <= 28;
    }

    private static bool TryScale(decimal number, QuantityFormat format, int power, out decimal scaled)
    {
        try
        {
            scaled = number;
            for (var step = 0; step < Math.Abs(power); step++)
            {
                scaled = format == QuantityFormat.BinarySI ? scaled * 1024 : power > 0 ? scaled * 10 : scaled / 10;
            }

            return true;
        }
        catch (OverflowException)
        {
            scaled = 0;
            return false;
        }
    }

    private static bool TryRound(decimal value, out decimal rounded)
    {
        rounded = 0;
        if (Math.Abs(value) > long.MaxValue)
        {
            return false;
        }

        var whole = decimal.Truncate(value);
        var nanos = (value - whole) * Nano;
        rounded = whole + ((nanos < 0 ? Math.Floor(nanos) : Math.Ceiling(nanos)) / Nano);
        return Math.Abs(rounded) <= long.MaxValue;
    }

    private static string Shorten(string text) => text.Length <= TextLengthMax ? text : text[..TextLengthMax] + "…";
}

/// <summary>A quantity in JSON: read from a string or a number, written as its canonical string.</summary>
public sealed class QuantityJsonConverter : JsonConverter<Quantity>
{
    public override Quantity Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.Number && reader.TryGetDecimal(out var number) && Math.Abs(number) <= long.MaxValue)
        {
            return new Quantity(number, QuantityFormat.DecimalSI);
        }

        return reader.TokenType == JsonTokenType.String && Quantity.TryParse(reader.GetString(), out var quantity)
            ? quantity
            : throw new JsonException("Expected a quantity: a number with an optional suffix such as m, k, M, G, Ki, Mi, Gi or e3.");
    }

    public override void Write(Utf8JsonWriter writer, Quantity value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
}
