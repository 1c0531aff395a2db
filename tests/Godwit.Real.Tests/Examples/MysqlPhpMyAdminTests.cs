using Godwit.Real.Tests.Docker;

namespace Godwit.Real.Tests.Examples;

/// <summary>The example of a database and its page, as containers and as a Compose file, with its own scripts and the real <c>docker</c>, and used in a browser.</summary>
[Collection(ExampleCollection.Name)]
[Trait("Needs", "docker")]
public sealed class MysqlPhpMyAdminTests(ExampleLab example)
{
    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_table_made_on_the_page_is_there_after_both_containers_were_made_anew()
    {
        await example.OpenAsync(Stopping);
        var password = await PasswordAsync();
        await example.ScriptAsync("containers.sh", "up");
        await using var browser = await Browser.StartAsync();
        var page = new PhpMyAdminPage(browser, new Uri($"http://127.0.0.1:{example.Port}/"));
        await page.LogInAsync(password);
        await page.CreateTableAsync();

        await example.ScriptAsync("containers.sh", "down");
        await example.ScriptAsync("containers.sh", "up");
        await page.LogInAsync(password);
        await page.FindTableAsync();
        if (Environment.GetEnvironmentVariable("GODWIT_PHOTOGRAPHS") is { } photographs)
        {
            await File.WriteAllBytesAsync(Path.Combine(photographs, "phpmyadmin.png"), await browser.PhotographAsync(), Stopping);
        }

        await example.ScriptAsync("containers.sh", "forget");
        Assert.Equal("", await example.DockerAsync("volume", "ls", "-q"));
    }

    [Fact]
    public async Task The_Compose_file_brings_both_up_and_the_table_is_there_after_it_was_down()
    {
        Assert.SkipUnless(DockerClients.Compose is not null, "needs Compose 2: run eng/setup.sh test");
        await example.OpenAsync(Stopping);
        var plugins = Directory.CreateDirectory(Path.Combine(example.ClientFolder, "cli-plugins")).FullName;
        File.CreateSymbolicLink(Path.Combine(plugins, "docker-compose"), DockerClients.Compose);
        var password = await PasswordAsync();
        await example.DockerAsync("compose", "up", "-d");
        await using var browser = await Browser.StartAsync();
        var page = new PhpMyAdminPage(browser, new Uri($"http://127.0.0.1:{example.Port}/"));
        await page.LogInAsync(password);
        await page.CreateTableAsync();

        await example.DockerAsync("compose", "down");
        Assert.Equal("", await example.DockerAsync("ps", "-aq"));
        await example.DockerAsync("compose", "up", "-d");
        await page.LogInAsync(password);
        await page.FindTableAsync();

        await example.DockerAsync("compose", "down", "--volumes");
        Assert.Equal("", await example.DockerAsync("volume", "ls", "-q"));
    }

    private async Task<string> PasswordAsync() => (await File.ReadAllTextAsync(example.PasswordFile, Stopping)).Trim();
}
