using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;

namespace Godwit.ApiBench;

/// <summary>Keeps the server's controllers, the scheduler among them, from working: holds the lease by which one process of several leads them.</summary>
internal sealed class ControllerPause : IAsyncDisposable
{
    private const string Lease = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/godwit-controllers";
    private const string Holder = "api-bench";
    private const int HeldSeconds = 3600;

    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(50);

    private readonly LoadClient client;
    private bool isHeld = true;

    private ControllerPause(LoadClient client) => this.client = client;

    /// <summary>Returns when the controllers have stopped.</summary>
    public static async Task<ControllerPause> BeginAsync(LoadClient client, CancellationToken stopping)
    {
        await UntilAsync(() => TryChangeAsync(client, spec => (spec["holderIdentity"], spec["leaseDurationSeconds"]) = (Holder, HeldSeconds), stopping), stopping);
        await UntilAsync(async () => (await client.ReadAsync("/metrics", stopping)).Contains("\ngodwit_controllers_leading 0\n", StringComparison.Ordinal), stopping);
        return new ControllerPause(client);
    }

    /// <summary>Lets the controllers work; they look for the lease every two seconds.</summary>
    public async Task EndAsync(CancellationToken stopping)
    {
        isHeld = false;
        await UntilAsync(() => TryChangeAsync(client, spec => spec["holderIdentity"] = "", stopping), stopping);
    }

    /// <summary>When the controllers took the lease, to a microsecond, by this machine's clock.</summary>
    public async Task<DateTimeOffset> BegunAgainAsync(CancellationToken stopping)
    {
        var lease = JsonNode.Parse(await client.ReadAsync(Lease, stopping))!;
        return DateTimeOffset.Parse(lease["spec"]!["acquireTime"]!.GetValue<string>(), CultureInfo.InvariantCulture);
    }

    public async ValueTask DisposeAsync()
    {
        if (isHeld)
        {
            await EndAsync(CancellationToken.None);
        }
    }

    private static async Task<bool> TryChangeAsync(LoadClient client, Action<JsonObject> change, CancellationToken stopping)
    {
        try
        {
            var lease = JsonNode.Parse(await client.ReadAsync(Lease, stopping))!;
            change(lease["spec"]!.AsObject());
            await client.SendAsync(HttpMethod.Put, Lease, lease.ToJsonString(), "application/json", stopping);
            return true;
        }
        catch (HttpRequestException error) when (error.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.Conflict)
        {
            return false; // Not made yet, or renewed in between.
        }
    }

    private static async Task UntilAsync(Func<Task<bool>> isTrue, CancellationToken stopping)
    {
        using var look = new PeriodicTimer(LookEvery);
        while (!await isTrue())
        {
            await look.WaitForNextTickAsync(stopping);
        }
    }
}
