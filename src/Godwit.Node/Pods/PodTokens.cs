using System.Buffers.Text;
using System.Text.Json;
using Godwit.Api.Core.V1;

namespace Godwit.Node.Pods;

/// <summary>
/// When a token in a volume is asked for anew: when four fifths of its time are over, or after a day. The token itself says since when it is, so an agent that
/// has just begun knows it too. Nothing is believed of it but these two times, and they decide only when the server is asked.
/// </summary>
internal static class PodTokens
{
    private const double UsedShareMax = 0.8;
    private static readonly TimeSpan AgeMax = TimeSpan.FromHours(24);

    /// <summary>All tokens that the pod's volumes hold: the volume, and the token's file in it.</summary>
    public static IEnumerable<(PodVolume Volume, ServiceAccountTokenProjection Token)> Of(Pod pod) =>
        from volume in pod.Spec.Volumes
        from source in volume.Projected?.Sources ?? []
        where source.ServiceAccountToken is not null
        select (volume, source.ServiceAccountToken);

    /// <summary>The time that the token is to be replaced at; at once when it cannot be read.</summary>
    public static DateTimeOffset RefreshAt(string token)
    {
        try
        {
            using var claims = JsonDocument.Parse(Base64Url.DecodeFromChars(token.Split('.')[1]));
            var since = DateTimeOffset.FromUnixTimeSeconds(claims.RootElement.GetProperty("iat").GetInt64());
            var life = DateTimeOffset.FromUnixTimeSeconds(claims.RootElement.GetProperty("exp").GetInt64()) - since;
            return since + (life * UsedShareMax < AgeMax ? life * UsedShareMax : AgeMax);
        }
        catch (Exception error) when (error is FormatException or JsonException or KeyNotFoundException or InvalidOperationException or ArgumentException or IndexOutOfRangeException)
        {
            return DateTimeOffset.MinValue;
        }
    }
}
