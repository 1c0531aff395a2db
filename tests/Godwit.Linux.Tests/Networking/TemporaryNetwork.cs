using Godwit.Linux.Netlink;
using Godwit.Linux.Networking;

namespace Godwit.Linux.Tests.Networking;

/// <summary>A network namespace of one test, with a route socket in it.</summary>
internal sealed class TemporaryNetwork : IDisposable
{
    private static int count;

    internal TemporaryNetwork()
    {
        Needs.Root();
        Place = NetworkNamespace.Create($"godwit-test-{Environment.ProcessId}-{Interlocked.Increment(ref count)}");
        Routes = RouteSocket.Open(Place);
    }

    internal NetworkNamespace Place { get; }

    internal RouteSocket Routes { get; }

    public void Dispose()
    {
        Routes.Dispose();
        NetworkNamespace.Delete(Place.Name);
    }
}
