using System.Globalization;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using Godwit.Oci;
using Godwit.Real.Tests.Containers;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Godwit.Real.Tests.Docker;

/// <summary><c>ADD</c> of addresses, by the real <c>docker build</c>, from a web server on loopback.</summary>
[Trait("Needs", "docker")]
public sealed class AddAddressTests
{
    private static readonly DateTimeOffset Modified = DateTimeOffset.FromUnixTimeSeconds(1_600_000_000);

    [Fact]
    public async Task ADD_fetches_an_address_checks_its_sum_and_knows_its_contents_again()
    {
        await using var lab = await DockerLab.OpenAsync();
        await using var web = await Web.StartAsync(null);
        web.Files["tool.sh"] = "one"u8.ToArray();
        web.Files["root.tar"] = await File.ReadAllBytesAsync(Path.Combine(lab.Folder, "root.tar"), EngineLab.Stopping);
        var sum = Digest.Of("one"u8).ToString();
        var file = $"""
            FROM {DockerLab.Busybox}
            ARG SUM={sum}
            ADD --checksum=$SUM --chmod=755 {web.Address}tool.sh /checked
            ADD {web.Address}tool.sh?v=1 {web.Address}root.tar /into/
            RUN cat /checked && ls -l /into
            """;
        var first = await BuildAsync(lab, file);
        Assert.True(first.Code == 0 && first.Output.Contains("one", StringComparison.Ordinal), first.Output + first.Error);
        Assert.Contains("-rw-------", first.Output, StringComparison.Ordinal); // Docker's permissions of what was fetched.
        Assert.Equal($"{Modified.ToUnixTimeSeconds()} 755 600\n", (await lab.DockerAsync("run", "--rm", "--network", "none", "made", "/bin/busybox", "sh", "-c",
            "/bin/busybox stat -c %Y /into/tool.sh | /bin/busybox tr '\\n' ' '; /bin/busybox stat -c %a /checked | /bin/busybox tr '\\n' ' '; /bin/busybox stat -c %a /into/tool.sh")).Output);
        Assert.Equal($"{web.Files["root.tar"].Length}\n", (await lab.DockerAsync("run", "--rm", "--network", "none", "made", "/bin/busybox", "stat", "-c", "%s", "/into/root.tar")).Output); // An archive that was fetched stays one.

        var again = await BuildAsync(lab, file);
        Assert.Equal(4, again.Output.Split("Using cache").Length);
        web.Files["tool.sh"] = "two"u8.ToArray();
        var other = await BuildAsync(lab, file);
        Assert.True(other.Code != 0 && other.Error.Contains($"/tool.sh has the digest {Digest.Of("two"u8)}, not {sum}", StringComparison.Ordinal), other.Output + other.Error);
        var fetched = await BuildAsync(lab, file.Replace($"SUM={sum}", $"SUM={Digest.Of("two"u8)}", StringComparison.Ordinal));
        Assert.True(fetched.Code == 0 && fetched.Output.Contains("two", StringComparison.Ordinal), fetched.Output + fetched.Error); // What is behind the address counts, not the address.
    }

    [Fact]
    public async Task What_cannot_be_added_is_told_with_its_line()
    {
        using var folder = new CertificateFolder();
        folder.Authority("nobodys");
        folder.Issue("nobodys", "web");
        await using var lab = await DockerLab.OpenAsync();
        await using var plain = await Web.StartAsync(null);
        using var certificate = X509Certificate2.CreateFromPemFile(folder.Certificate("web"), folder.Key("web"));
        await using var secure = await Web.StartAsync(certificate);
        plain.Files["x"] = plain.Files[""] = secure.Files["x"] = "x"u8.ToArray();
        (string Step, string Words)[] refused =
        [
            ($"ADD {plain.Address}absent /x", "line 2: ADD failed: " + plain.Address + "absent was answered with 404 Not Found"),
            ($"ADD {secure.Address}x /x", "none of the authorities that are trusted here has signed it"), ($"ADD {plain.Address} /into/", "names no file"), ("ADD http:// /x", "no address that can be read"),
            ($"ADD --checksum=sha256:short {plain.Address}x /x", "--checksum=sha256:short is no digest"), ($"ADD --checksum={Digest.Of("x"u8)} Dockerfile /x", "--checksum goes with one source"),
            ($"ADD {plain.Address}repository.git /x", "repositories of git are not fetched here"), ($"COPY {plain.Address}x /x", "file does not exist"),
        ];
        foreach (var (step, words) in refused)
        {
            var (code, output, error) = await BuildAsync(lab, $"FROM {DockerLab.Busybox}\n{step}\n");
            Assert.True(code != 0 && error.Contains(words, StringComparison.Ordinal), $"{step}: {code} {output} {error}");
        }

        Assert.Empty(Directory.EnumerateFiles(Path.Combine(lab.Folder, "data", "builder"), "download*"));
    }

    private static async Task<(int Code, string Output, string Error)> BuildAsync(DockerLab lab, string file)
    {
        var context = Directory.CreateDirectory(Path.Combine(lab.Folder, "context")).FullName;
        await File.WriteAllTextAsync(Path.Combine(context, "Dockerfile"), file, EngineLab.Stopping);
        return await lab.DockerAsync("build", "--network", "none", "-t", "made", context);
    }

    /// <summary>A web server on loopback.</summary>
    private sealed class Web : IAsyncDisposable
    {
        private readonly WebApplication application;

        private Web(WebApplication application) => this.application = application;

        public Dictionary<string, byte[]> Files { get; } = new(StringComparer.Ordinal);

        /// <summary>Ends with a slash.</summary>
        public string Address => application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single() + "/";

        public static async Task<Web> StartAsync(X509Certificate2? certificate)
        {
            var builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            builder.WebHost.UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen =>
            {
                if (certificate is not null)
                {
                    listen.UseHttps(certificate);
                }
            }));
            var web = new Web(builder.Build());
            web.application.Run(async http =>
            {
                if (!web.Files.TryGetValue(http.Request.Path.Value![1..], out var contents))
                {
                    http.Response.StatusCode = 404;
                    return;
                }

                http.Response.Headers.LastModified = Modified.ToString("R", CultureInfo.InvariantCulture);
                await http.Response.Body.WriteAsync(contents);
            });
            await web.application.StartAsync(EngineLab.Stopping);
            return web;
        }

        public ValueTask DisposeAsync() => application.DisposeAsync();
    }
}
