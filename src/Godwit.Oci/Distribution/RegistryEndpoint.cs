using System.Net;

namespace Godwit.Oci.Distribution;

/// <summary>One place at which a registry may be spoken to.</summary>
/// <param name="Base">Scheme, host and port; requests go to <c>/v2/…</c> below its path.</param>
/// <param name="IsMirror">It holds copies of another registry's content and is only read from.</param>
/// <param name="MayBePlain">Plain HTTP is tried where TLS is not spoken, and its certificate is not checked.</param>
internal sealed record RegistryEndpoint(Uri Base, bool IsMirror, bool MayBePlain)
{
    /// <summary>The places to ask, the preferred one first.</summary>
    /// <exception cref="RegistryException">The name belongs to the default registry, and none is configured.</exception>
    public static IReadOnlyList<RegistryEndpoint> For(string? registry, bool reading, RegistryOptions options)
    {
        var places = new List<RegistryEndpoint>();
        if (reading && options.Mirrors.TryGetValue(registry ?? "", out var mirrors))
        {
            places.AddRange(mirrors.Select(mirror => new RegistryEndpoint(mirror, IsMirror: true, AllowsPlain(mirror.Authority, options) || mirror.Scheme == Uri.UriSchemeHttp)));
        }

        if (registry is not null)
        {
            var address = new Uri($"https://{registry}/");
            places.Add(new RegistryEndpoint(address, IsMirror: false, AllowsPlain(address.Authority, options)));
        }
        else if (options.DefaultEndpoint is { } standard)
        {
            places.Add(new RegistryEndpoint(standard, IsMirror: false, AllowsPlain(standard.Authority, options) || standard.Scheme == Uri.UriSchemeHttp));
        }

        return places.Count > 0 ? places : throw new RegistryException(
            RegistryFailure.NotFound,
            "The name has no registry in front, and no default registry is configured: write the registry's host in front of the name, or configure a default registry.");
    }

    private static bool AllowsPlain(string authority, RegistryOptions options)
    {
        if (new RegistryCertificates(options.CertificatesFolder).Has(authority))
        {
            return false; // Whoever said how to know it does not want it unchecked.
        }

        var host = authority.StartsWith('[') ? authority[1..authority.IndexOf(']', StringComparison.Ordinal)]
            : authority.LastIndexOf(':') is > 0 and var colon ? authority[..colon] : authority;
        return host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
            || (IPAddress.TryParse(host, out var address) && IPAddress.IsLoopback(address))
            || options.Insecure.Contains(authority) || options.Insecure.Contains(host);
    }
}
