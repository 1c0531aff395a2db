using System.Net;
using System.Net.Sockets;
using Godwit.Real.Tests.Docker;
using Godwit.Real.Tests.Labs;

namespace Godwit.Real.Tests.Examples;

/// <summary>The example of a database and its page, built from Debian's packages, with its own scripts and the real <c>docker</c>, and used in a browser.</summary>
[Trait("Needs", "docker")]
public sealed class MysqlPhpMyAdminTests
{
    /// <summary>Fetching and unpacking some hundred packages, on shared cores.</summary>
    private static readonly TimeSpan BuildBound = TimeSpan.FromMinutes(15);
    private static readonly TimeSpan StartBound = TimeSpan.FromMinutes(3);

    [Fact]
    public async Task A_table_made_on_the_page_is_there_after_both_containers_were_made_anew()
    {
        Assert.SkipUnless(File.Exists(Browser.Program), $"needs {Browser.Program}: install the package chromium-headless-shell");
        Assert.SkipUnless(File.Exists("/usr/bin/mmdebstrap"), "needs mmdebstrap: install the package mmdebstrap");
        await using var lab = await DockerLab.OpenAsync();
        using var example = Example.Copy(lab.ClientEnvironment);
        await example.RunAsync("build.sh", BuildBound);
        await example.RunAsync("containers.sh", StartBound, "up");
        var password = await File.ReadAllTextAsync(Path.Combine(example.Folder, "root-password"), TestContext.Current.CancellationToken);

        await using var browser = await Browser.StartAsync();
        await LogInAsync(browser, example.Page, password.Trim());
        await browser.OpenAsync(new Uri(example.Page, "index.php?route=/database/sql&db=shop"));
        await browser.UntilAsync("document.querySelector('#sqlqueryform .CodeMirror').CodeMirror && document.querySelector('#button_submit_query')");
        await browser.EvaluateAsync("document.querySelector('#sqlqueryform .CodeMirror').CodeMirror.setValue(\"CREATE TABLE birds (name VARCHAR(40) PRIMARY KEY, days INT); INSERT INTO birds VALUES ('bar-tailed godwit', 11)\")");
        await browser.EvaluateAsync("document.querySelector('#button_submit_query').click()");
        await browser.UntilAsync("document.body.innerText.includes('1 row inserted')");

        await example.RunAsync("containers.sh", StartBound, "down");
        await example.RunAsync("containers.sh", StartBound, "up");
        await LogInAsync(browser, example.Page, password.Trim());
        await browser.OpenAsync(new Uri(example.Page, "index.php?route=/sql&db=shop&table=birds&pos=0"));
        await browser.UntilAsync("document.querySelector('table.table_results').innerText.includes('bar-tailed godwit')");
        if (Environment.GetEnvironmentVariable("GODWIT_PHOTOGRAPHS") is { } photographs)
        {
            await File.WriteAllBytesAsync(Path.Combine(photographs, "phpmyadmin.png"), await browser.PhotographAsync(), TestContext.Current.CancellationToken);
        }

        await example.RunAsync("containers.sh", StartBound, "forget");
        Assert.Equal("", (await lab.DockerAsync("volume", "ls", "-q")).Output);
    }

    private static async Task LogInAsync(Browser browser, Uri page, string password)
    {
        // The server may still be starting: then the page says so, and is asked again.
        await Eventually.IsTrueAsync(
            "the page lets root in",
            StartBound,
            async () =>
            {
                await browser.OpenAsync(page);
                if (await browser.IsTrueAsync("document.querySelector('#input_go')"))
                {
                    await browser.FollowAsync($"document.querySelector('#input_username').value = 'root'; document.querySelector('#input_password').value = '{password}'; document.querySelector('#input_go').click()");
                }

                return await browser.IsTrueAsync("document.title.includes('| phpMyAdmin') && document.body.innerText.includes('MariaDB')");
            });
    }

    /// <summary>A copy of the example's folder, its scripts and an address for its page.</summary>
    private sealed class Example : IDisposable
    {
        private readonly Dictionary<string, string> environment;

        private Example(string folder, Uri page, Dictionary<string, string> environment) => (Folder, Page, this.environment) = (folder, page, environment);

        public string Folder { get; }

        public Uri Page { get; }

        public static Example Copy(IReadOnlyDictionary<string, string> client)
        {
            var folder = Directory.CreateTempSubdirectory("gwd-example-").FullName;
            foreach (var file in Directory.EnumerateFiles(Find()))
            {
                File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
            }

            using var free = new TcpListener(IPAddress.Loopback, 0);
            free.Start();
            var port = ((IPEndPoint)free.LocalEndpoint).Port;
            var variables = new Dictionary<string, string>(client, StringComparer.Ordinal)
            {
                ["MYSQL_IMAGE"] = "example/mysql",
                ["PHPMYADMIN_IMAGE"] = "example/phpmyadmin",
                ["PORT"] = $"{port}",
            };
            return new Example(folder, new Uri($"http://127.0.0.1:{port}/"), variables);
        }

        public async Task RunAsync(string script, TimeSpan bound, params string[] arguments) =>
            (await Command.RunAsync(Path.Combine(Folder, script), arguments, bound, environment: environment)).MustSucceed();

        public void Dispose() => Directory.Delete(Folder, recursive: true);

        private static string Find()
        {
            for (var folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
            {
                var example = Path.Combine(folder, "examples", "mysql-phpmyadmin");
                if (Directory.Exists(example))
                {
                    return example;
                }
            }

            throw new InvalidOperationException("The folder examples is not above this program.");
        }
    }
}
