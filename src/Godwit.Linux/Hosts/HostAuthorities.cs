using Godwit.Linux.Native;

namespace Godwit.Linux.Hosts;

/// <summary>The certificate authorities that this host trusts, as this process sees them.</summary>
public static class HostAuthorities
{
    /// <summary>Neither is a bundle or a folder of certificates, and both are everywhere.</summary>
    private const string Nothing = "/dev/null";

    /// <summary>
    /// From here on this process trusts none of them, and reads none: the runtime reads all, whatever a connection is told to trust,
    /// when it first builds a chain of certificates. For processes that speak only to those whose authority they were given. Needs to be
    /// called before that first chain; later it has no effect. Processes that this one starts through the runtime do not inherit it.
    /// </summary>
    /// <exception cref="LinuxException">The environment cannot be written: there is no memory.</exception>
    public static void Forget()
    {
        // The runtime asks OpenSSL where they lie, and OpenSSL the process's own environment, not the runtime's copy of it.
        foreach (var name in (ReadOnlySpan<string>)["SSL_CERT_FILE", "SSL_CERT_DIR"])
        {
            if (LibC.SetEnvironment(name, Nothing, overwrite: 1) != 0)
            {
                throw LinuxException.FromLastCall($"set {name}");
            }
        }
    }
}
