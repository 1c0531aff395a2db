using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Godwit.DockerApi.Serving;

/// <summary>A version of the Docker Engine API, as it stands in front of a path: <c>/v1.45/…</c>. Clients choose; a path without one means the newest.</summary>
internal readonly record struct ApiVersion(int Major, int Minor) : IComparable<ApiVersion>
{
    public static ApiVersion Oldest { get; } = new(1, 24);

    public static ApiVersion Newest { get; } = new(1, 48);

    public static bool operator <(ApiVersion left, ApiVersion right) => left.CompareTo(right) < 0;

    public static bool operator >(ApiVersion left, ApiVersion right) => left.CompareTo(right) > 0;

    public static bool operator <=(ApiVersion left, ApiVersion right) => left.CompareTo(right) <= 0;

    public static bool operator >=(ApiVersion left, ApiVersion right) => left.CompareTo(right) >= 0;

    public int CompareTo(ApiVersion other) => (Major, Minor).CompareTo((other.Major, other.Minor));

    /// <summary>Takes the version off the front of a path.</summary>
    /// <exception cref="DockerException">It is older or newer than what is spoken here.</exception>
    public static (ApiVersion Version, string Path) Split(string path)
    {
        var slash = path.IndexOf('/', 1);
        if (slash < 0 || !TryParse(path.AsSpan(1, slash - 1), out var version))
        {
            return (Newest, path);
        }

        if (version < Oldest)
        {
            throw DockerException.Invalid($"client version {version} is too old. Minimum supported API version is {Oldest}, please upgrade your client to a newer version");
        }

        return version > Newest
            ? throw DockerException.Invalid($"client version {version} is too new. Maximum supported API version is {Newest}")
            : (version, path[slash..]);
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Major}.{Minor}");

    private static bool TryParse(ReadOnlySpan<char> text, [NotNullWhen(true)] out ApiVersion version)
    {
        version = default;
        var dot = text.IndexOf('.');
        if (text.Length < 4 || text[0] != 'v' || dot < 0
            || !int.TryParse(text[1..dot], NumberStyles.None, CultureInfo.InvariantCulture, out var major)
            || !int.TryParse(text[(dot + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var minor))
        {
            return false;
        }

        version = new ApiVersion(major, minor);
        return true;
    }
}
