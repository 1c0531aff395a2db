using System.Net;
using System.Security.Cryptography.X509Certificates;
using Godwit.DockerApi;
using Godwit.Real.Tests.Containers;

namespace Godwit.Real.Tests.Docker;

/// <summary>The Docker API over TCP, with certificates on both sides.</summary>
[Trait("Needs", "docker")]
public sealed class SecureDoorTests
{
    [Fact]
    public async Task Over_TCP_a_client_with_a_certificate_is_served_and_one_without_is_not()
    {
        using var folder = new CertificateFolder();
        folder.Authority("ours");
        folder.Authority("theirs");
        folder.Issue("ours", "engine", "1.3.6.1.5.5.7.3.1");
        folder.Issue("ours", "client", "1.3.6.1.5.5.7.3.2");
        folder.Issue("theirs", "stranger", "1.3.6.1.5.5.7.3.2");
        var address = new IPEndPoint(IPAddress.Loopback, Ports.Free());
        await using var lab = await DockerLab.OpenAsync([SecureDoor.Load(address, folder.Certificate("engine"), folder.Key("engine"), folder.Certificate("ours"))]);
        Task<(int Code, string Output, string Error)> AsAsync(string who, string input, params string[] arguments) => DockerClients.RunAsync(
            DockerClients.Newest!, $"tcp://{address}", lab.Folder, input,
            ["--tlsverify", "--tlscacert", folder.Certificate("ours"), "--tlscert", folder.Certificate(who), "--tlskey", folder.Key(who), .. arguments]);

        var ran = await AsAsync("client", "", "run", "-d", "--name", "far", "--network", "none", DockerLab.Busybox, "sleep", "1000");
        Assert.True(ran.Code == 0, ran.Error);
        // The end of input is told while output goes on, encrypted as in the clear.
        Assert.Equal((0, "typed\nthen its end\n"), Only(await AsAsync("client", "typed\n", "exec", "-i", "far", "sh", "-c", "cat; echo then its end")));
        Assert.NotEqual(0, (await AsAsync("stranger", "", "ps")).Code);
        var bare = await DockerClients.RunAsync(DockerClients.Newest!, $"tcp://{address}", lab.Folder, "", ["--tls", "ps"]);
        Assert.NotEqual(0, bare.Code);
        Assert.NotEqual(0, (await DockerClients.RunAsync(DockerClients.Newest!, $"tcp://{address}", lab.Folder, "", ["ps"])).Code);
    }

    [Fact]
    public void A_certificate_that_is_not_for_clients_is_not_trusted()
    {
        using var folder = new CertificateFolder();
        folder.Authority("ours");
        folder.Issue("ours", "engine", "1.3.6.1.5.5.7.3.1");
        folder.Issue("ours", "client", "1.3.6.1.5.5.7.3.2");
        var door = SecureDoor.Load(new IPEndPoint(IPAddress.Loopback, 1), folder.Certificate("engine"), folder.Key("engine"), folder.Certificate("ours"));
        using var client = X509CertificateLoader.LoadCertificateFromFile(folder.Certificate("client"));
        using var engine = X509CertificateLoader.LoadCertificateFromFile(folder.Certificate("engine"));
        Assert.True(door.Trusts(client, null));
        Assert.False(door.Trusts(engine, null));
        Assert.Contains(folder.Key("client"), Assert.Throws<IOException>(() => SecureDoor.Load(new IPEndPoint(IPAddress.Loopback, 1), folder.Certificate("engine"), folder.Key("client"), folder.Certificate("ours"))).Message, StringComparison.Ordinal);
    }

    private static (int Code, string Output) Only((int Code, string Output, string Error) result) => (result.Code, result.Output);
}
