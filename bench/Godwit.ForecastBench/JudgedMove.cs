using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Godwit.ForecastBench;

/// <summary>A quantity as it was forecast (the ends of the range, and what was likely) and as it was then measured.</summary>
internal sealed record Judgement(double Low, double Likely, double High, double Measured)
{
    /// <summary>How far what was likely lay off, as a share of what was measured.</summary>
    public double Error => Math.Abs(Likely - Measured) / Math.Max(1, Measured);

    public bool Held => Measured >= Low && Measured <= High;

    public static Judgement From(JsonNode? range, JsonNode? measured) =>
        new((double?)range?["low"] ?? 0, (double?)range?["likely"] ?? 0, (double?)range?["high"] ?? 0, (double?)measured ?? 0);
}

/// <summary>One move: forecast beside measurement.</summary>
/// <param name="Turn">0: the guest had never been moved.</param>
/// <param name="TextbookTotalMs">Null: the formula diverges.</param>
internal sealed record JudgedMove(
    string Guest, string Link, int Turn, Judgement TotalMs, Judgement Bytes, Judgement DowntimeMs, double? TextbookTotalMs, double? TextbookDowntimeMs, string EndedBy)
{
    public static JudgedMove From(string guest, string link, int turn, JsonNode predicted, JsonNode moved)
    {
        var status = moved["status"]!;
        var (forecast, measured) = (status["forecast"], status["measurement"]);
        if ((string?)status["phase"] != "Succeeded" || forecast is null || measured is null)
        {
            throw new InvalidOperationException($"The move of {guest} over {link} did not end well, so nothing can be judged: {status.ToJsonString()}");
        }

        var textbook = predicted["status"]!["modes"]!.AsArray().First(mode => (string?)mode!["mode"] == "precopy")!["textbook"];
        return new(
            guest,
            link,
            turn,
            Judgement.From(forecast["totalMs"], measured["totalMs"]),
            Judgement.From(forecast["bytes"], measured["bytes"]),
            Judgement.From(forecast["downtimeMs"], measured["pausedMs"]), // What is forecast: no CPU of the guest runs. QEMU's own count ends before the order to run.
            (double?)textbook?["totalMs"],
            (double?)textbook?["downtimeMs"],
            $"{(string?)status["migrationState"]?["mode"]}, {(int?)measured["rounds"]} rounds");
    }

    public string ToJson() => JsonSerializer.Serialize(this, JudgedJson.Default.JudgedMove);

    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Link,-8} {Guest,-10} {Turn}: total {Words(TotalMs, 1000, "s")}, bytes {Words(Bytes, 1e6, "MB")}, downtime {Words(DowntimeMs, 1, "ms")}; textbook {TextbookTotalMs / 1000:0.0} s; {EndedBy}");

    private static string Words(Judgement judged, double unit, string name) => string.Create(
        CultureInfo.InvariantCulture, $"{judged.Low / unit:0.0}-({judged.Likely / unit:0.0})-{judged.High / unit:0.0} → {judged.Measured / unit:0.0} {name}");
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(JudgedMove))]
internal sealed partial class JudgedJson : JsonSerializerContext;
