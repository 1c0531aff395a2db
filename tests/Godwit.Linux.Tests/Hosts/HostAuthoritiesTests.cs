using System.Security.Cryptography.X509Certificates;
using Godwit.Linux.Hosts;

namespace Godwit.Linux.Tests.Hosts;

public sealed class HostAuthoritiesTests
{
    [Fact]
    public void A_process_that_forgot_them_trusts_none()
    {
        Assert.NotEmpty(File.ReadAllText("/etc/ssl/certs/ca-certificates.crt")); // Else this test shows nothing.

        HostAuthorities.Forget();

        using var trusted = new X509Store(StoreName.Root, StoreLocation.LocalMachine, OpenFlags.ReadOnly);
        Assert.Empty(trusted.Certificates);
    }
}
