using System.Net;

namespace Godwit.Real.Tests.Docker;

/// <summary>Registries with TLS and with passwords, as the real <c>docker</c> meets them through the engine.</summary>
[Trait("Needs", "docker")]
public sealed class RegistryTrustTests
{
    /// <summary>The gateway of a network of the test's own: an address of this host that is not loopback, whose certificates are not checked unless an authority is named.</summary>
    private static readonly IPAddress Own = IPAddress.Parse("10.251.8.1");

    internal const string Password = "correct-horse";

    /// <summary>The password's bcrypt hash, as htpasswd(1) writes it.</summary>
    internal const string PasswordEntry = "somebody:$2y$05$zv3Dv6QQ09il4nXe10KPpe/zThxIg5w5v4WXkH.u0Jk7oaM9R3UIK";

    [Fact]
    public async Task A_registry_is_trusted_by_the_authority_that_the_operator_names_for_it_and_otherwise_refused_in_words()
    {
        using var folder = new CertificateFolder();
        folder.Authority("ours");
        folder.Authority("theirs");
        folder.Issue("ours", "registry", address: Own);
        folder.Issue("ours", "elsewhere");
        await using var engine = await StartAsync(folder);
        await using var registry = await RegistryProcess.StartAsync(Own, new((folder.Certificate("registry"), folder.Key("registry"))));
        var name = await TagAsync(engine, registry);
        var place = Path.Combine(folder.TrustFolder, registry.Name);

        await RefusedAsync(engine, ["push", name], $"The registry {registry.Name} is not trusted", "none of the authorities that are trusted here has signed it", $"{place}/ca.crt");
        folder.Trust(registry.Name, "theirs");
        await RefusedAsync(engine, ["push", name], "none of the authorities that are trusted here has signed it");
        folder.Trust(registry.Name, "ours"); // The engine runs on meanwhile.
        await engine.MustAsync("push", name);
        await engine.MustAsync("rmi", name);
        await engine.MustAsync("pull", name);
        Assert.Equal("came back", await engine.MustAsync("run", "--rm", "--network", "none", name, "echo", "came back"));
        await RefusedAsync(engine, ["pull", $"{registry.Name}/team/other:v1"], "MANIFEST_UNKNOWN");

        await using var misnamed = await RegistryProcess.StartAsync(Own, new((folder.Certificate("elsewhere"), folder.Key("elsewhere"))));
        folder.Trust(misnamed.Name, "ours");
        await RefusedAsync(engine, ["pull", $"{misnamed.Name}/team/app:v1"], "it is not for the name '10.251.8.1'");
        await using var plain = await RegistryProcess.StartAsync(Own, new());
        await RefusedAsync(engine, ["pull", $"{plain.Name}/team/app:v1"], $"The registry {plain.Name} does not speak TLS", "--insecure-registry");
    }

    [Fact]
    public async Task A_registry_on_loopback_is_checked_once_an_authority_is_named_and_gets_the_certificate_that_it_wants()
    {
        using var folder = new CertificateFolder();
        folder.Authority("ours");
        folder.Authority("theirs");
        folder.Issue("ours", "registry");
        folder.Issue("ours", "engine", "1.3.6.1.5.5.7.3.2");
        await using var engine = await StartAsync(folder);
        var own = (folder.Certificate("registry"), folder.Key("registry"));
        await using (var open = await RegistryProcess.StartAsync(IPAddress.Loopback, new(own)))
        {
            var name = await TagAsync(engine, open);
            folder.Trust(open.Name, "theirs");
            await RefusedAsync(engine, ["push", name], $"The registry {open.Name} is not trusted");
            folder.Trust(open.Name, "ours");
            await engine.MustAsync("push", name);
        }

        await using var closed = await RegistryProcess.StartAsync(IPAddress.Loopback, new(own, ClientAuthority: folder.Certificate("ours")));
        var wanted = await TagAsync(engine, closed);
        folder.Trust(closed.Name, "ours");
        await RefusedAsync(engine, ["push", wanted], closed.Name);
        File.Copy(folder.Certificate("engine"), Path.Combine(folder.TrustFolder, closed.Name, "client.cert"));
        await RefusedAsync(engine, ["push", wanted], "client.key"); // Half of what it takes is told by its name.
        File.Copy(folder.Key("engine"), Path.Combine(folder.TrustFolder, closed.Name, "client.key"));
        await engine.MustAsync("push", wanted);
        await engine.MustAsync("rmi", wanted);
        await engine.MustAsync("pull", wanted);
    }

    [Fact]
    public async Task Docker_logs_in_pushes_pulls_builds_and_logs_out()
    {
        using var folder = new CertificateFolder();
        folder.Authority("ours");
        folder.Issue("ours", "registry", address: Own);
        await using var engine = await StartAsync(folder);
        var passwords = Path.Combine(engine.Folder, "htpasswd");
        await File.WriteAllTextAsync(passwords, PasswordEntry + "\n", TestContext.Current.CancellationToken);
        await using var registry = await RegistryProcess.StartAsync(Own, new((folder.Certificate("registry"), folder.Key("registry")), PasswordFile: passwords));
        folder.Trust(registry.Name, "ours");
        var name = await TagAsync(engine, registry);
        Task<(int Code, string Output, string Error)> LoginAsync(string password) => engine.DockerAsync(password, ["login", "-u", "somebody", "--password-stdin", registry.Name]);

        await RefusedAsync(engine, ["push", name], "401", "no credentials");
        var wrong = await LoginAsync("a-guess");
        Assert.True(wrong.Code != 0 && wrong.Error.Contains("401 Unauthorized", StringComparison.Ordinal) && wrong.Error.Contains("user name and password", StringComparison.Ordinal), wrong.Error);
        Assert.DoesNotContain("a-guess", wrong.Error, StringComparison.Ordinal);
        await RefusedAsync(engine, ["push", name], "401", "no credentials"); // Nothing of it was kept.

        var right = await LoginAsync(Password);
        Assert.True(right.Code == 0 && right.Output.Contains("Login Succeeded", StringComparison.Ordinal), right.Output + right.Error);
        await engine.MustAsync("push", name);
        await engine.MustAsync("rmi", name);
        await engine.MustAsync("pull", name);
        await engine.MustAsync("rmi", name);
        var context = Directory.CreateDirectory(Path.Combine(engine.Folder, "context")).FullName;
        await File.WriteAllTextAsync(Path.Combine(context, "Dockerfile"), $"FROM {name}\nLABEL built=here\n", TestContext.Current.CancellationToken);
        await engine.MustAsync("build", "-t", "built", context);
        await engine.MustAsync("rmi", "built", name);

        await engine.MustAsync("logout", registry.Name);
        await RefusedAsync(engine, ["pull", name], "pull access denied", "docker login", "401", "no credentials");
        var refused = await engine.DockerAsync("build", "--pull", context);
        Assert.True(refused.Code != 0 && (refused.Output + refused.Error).Contains("401", StringComparison.Ordinal), refused.Output + refused.Error);
    }

    private static async Task<EngineProcess> StartAsync(CertificateFolder folder)
    {
        var engine = await EngineProcess.StartAsync(dataBytes: null, "--registry-certificates", folder.TrustFolder);
        await engine.ImportBusyboxAsync();
        await engine.MustAsync("network", "create", "--subnet", "10.251.8.0/24", "--gateway", Own.ToString(), "own");
        return engine;
    }

    private static async Task<string> TagAsync(EngineProcess engine, RegistryProcess registry)
    {
        var name = $"{registry.Name}/team/app:v1";
        await engine.MustAsync("tag", DockerLab.Busybox, name);
        return name;
    }

    private static async Task RefusedAsync(EngineProcess engine, string[] command, params string[] words)
    {
        var (code, output, error) = await engine.DockerAsync(command);
        Assert.True(code != 0 && words.All(word => error.Contains(word, StringComparison.Ordinal)), $"docker {string.Join(' ', command)}: {code} {output} {error}");
    }
}
