using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Godwit.Real.Tests.Containers;

namespace Godwit.Real.Tests.Docker;

/// <summary>How a registry is to be spoken to.</summary>
/// <param name="Certificate">PEM files of its certificate and key; null is plain HTTP.</param>
/// <param name="ClientAuthority">Who signed the certificates that it wants to see; null wants none.</param>
/// <param name="PasswordFile">As htpasswd writes it; null lets everybody in.</param>
internal sealed record RegistrySettings((string Certificate, string Key)? Certificate = null, string? ClientAuthority = null, string? PasswordFile = null);

/// <summary>Debian's docker-registry on a free port of an address, with its data in a folder of its own.</summary>
internal sealed class RegistryProcess : IAsyncDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("gwd-registry-").FullName;
    private readonly Process process;

    private RegistryProcess(IPEndPoint address, RegistrySettings settings)
    {
        Name = address.ToString();
        var secure = settings.Certificate is { } own ? $", tls: {{certificate: '{own.Certificate}', key: '{own.Key}'{(settings.ClientAuthority is { } signer ? $", clientcas: ['{signer}']" : "")}}}" : "";
        var locked = settings.PasswordFile is { } file ? $"auth: {{htpasswd: {{realm: test, path: '{file}'}}}}\n" : "";
        var path = Path.Combine(folder, "config.yml");
        File.WriteAllText(path, $"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\nstorage: {{filesystem: {{rootdirectory: {folder}/data}}, delete: {{enabled: true}}}}\nhttp: {{addr: '{Name}'{secure}}}\n{locked}");
        process = Process.Start(new ProcessStartInfo("/usr/bin/docker-registry", ["serve", path]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        process.OutputDataReceived += (_, _) => { };
        process.ErrorDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    /// <summary>As it stands in front of an image's name.</summary>
    public string Name { get; }

    /// <summary>Returns when it takes connections.</summary>
    public static async Task<RegistryProcess> StartAsync(IPAddress address, RegistrySettings settings)
    {
        Assert.SkipUnless(File.Exists("/usr/bin/docker-registry"), "needs docker-registry: run eng/setup.sh test");
        int port;
        using (var probe = new TcpListener(address, 0))
        {
            probe.Start();
            port = ((IPEndPoint)probe.LocalEndpoint).Port;
        }

        var place = new IPEndPoint(address, port);
        var made = new RegistryProcess(place, settings);
        await Labs.Eventually.IsTrueAsync(string.Create(CultureInfo.InvariantCulture, $"the registry takes connections at {place}"), EngineLab.Bound, async () =>
        {
            Assert.False(made.process.HasExited, "docker-registry ended at once");
            using var socket = new TcpClient(address.AddressFamily);
            try
            {
                await socket.ConnectAsync(place, EngineLab.Stopping);
                return true;
            }
            catch (SocketException)
            {
                return false;
            }
        });
        return made;
    }

    public async ValueTask DisposeAsync()
    {
        process.Kill();
        await process.WaitForExitAsync(CancellationToken.None);
        process.Dispose();
        Directory.Delete(folder, recursive: true);
    }
}
