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
    private readonly List<Process> elsewhere = [];

    private RegistryProcess(IPEndPoint address, RegistrySettings settings)
    {
        Name = address.ToString();
        var secure = settings.Certificate is { } own ? $", tls: {{certificate: '{own.Certificate}', key: '{own.Key}'{(settings.ClientAuthority is { } signer ? $", clientcas: ['{signer}']" : "")}}}" : "";
        var locked = settings.PasswordFile is { } file ? $"auth: {{htpasswd: {{realm: test, path: '{file}'}}}}\n" : "";
        var path = Path.Combine(folder, "config.yml");
        File.WriteAllText(path, $"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\nstorage: {{filesystem: {{rootdirectory: {folder}/data}}, delete: {{enabled: true}}}}\nhttp: {{addr: '{Name}'{secure}}}\n{locked}");
        process = Start("/usr/bin/docker-registry", "serve", path);
    }

    /// <summary>As it stands in front of an image's name.</summary>
    public string Name { get; }

    /// <summary>Returns when it takes connections.</summary>
    public static async Task<RegistryProcess> StartAsync(IPAddress address, RegistrySettings settings)
    {
        Assert.SkipUnless(File.Exists("/usr/bin/docker-registry"), "needs docker-registry: run eng/setup.sh test");
        var place = new IPEndPoint(address, Ports.Free(address));
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

    /// <summary>The same registry, under the same address, in a network namespace as well; returns when it takes connections there.</summary>
    public async Task ServeInAsync(string networkNamespace)
    {
        var enter = $"--net=/run/netns/{networkNamespace}";
        var also = Start("nsenter", enter, "/usr/bin/docker-registry", "serve", Path.Combine(folder, "config.yml"));
        elsewhere.Add(also);
        var place = IPEndPoint.Parse(Name);
        await Labs.Eventually.IsTrueAsync($"the registry takes connections in {networkNamespace}", EngineLab.Bound, async () =>
        {
            Assert.False(also.HasExited, $"docker-registry ended at once in {networkNamespace}");
            return (await Labs.Command.RunAsync("nsenter", [enter, "bash", "-c", $": < /dev/tcp/{place.Address}/{place.Port}"], EngineLab.Bound)).ExitCode == 0;
        });
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var each in elsewhere.Append(process))
        {
            each.Kill();
            await each.WaitForExitAsync(CancellationToken.None);
            each.Dispose();
        }

        Directory.Delete(folder, recursive: true);
    }

    private static Process Start(string program, params IEnumerable<string> arguments)
    {
        var started = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        started.OutputDataReceived += (_, _) => { };
        started.ErrorDataReceived += (_, _) => { };
        started.BeginOutputReadLine();
        started.BeginErrorReadLine();
        return started;
    }
}
