using Godwit.Api.Meta.V1;
using Godwit.Cli.Output;
using Godwit.Client;

namespace Godwit.Cli;

/// <summary>One command's dealings with the cluster: a client, the namespace to act in, and how to answer.</summary>
internal sealed class Session(ClusterClient client, string namespaceName, OutputFormat format, CliEnvironment environment) : IDisposable
{
    private static readonly TimeSpan WatchAgainDelay = TimeSpan.FromSeconds(1);

    public ClusterClient Client => client;

    public string Namespace => namespaceName;

    public OutputFormat Format => format;

    public CliEnvironment Environment => environment;

    public TextWriter Output => environment.Output;

    /// <summary>Where progress and remarks go: beside a table, but never into JSON or YAML that a program reads.</summary>
    public TextWriter Remarks => format is OutputFormat.Table or OutputFormat.Wide ? environment.Output : environment.Error;

    public ResourceKey Key(string name) => new(namespaceName, name);

    public Printer Printer => new(environment, format);

    /// <exception cref="CliException">There is no such object; the nearest name is suggested.</exception>
    public async Task<T> RequireAsync<T>(string name, CancellationToken stopping)
        where T : Resource, IResource<T>
    {
        var key = T.Type.Namespaced ? Key(name) : new ResourceKey("", name);
        return await client.For<T>().FindAsync(key, stopping) ?? throw await NotFoundAsync<T>(name, stopping);
    }

    public async Task<List<string>> NamesAsync<T>(CancellationToken stopping)
        where T : Resource, IResource<T>
    {
        var options = new ListOptions { Namespace = T.Type.Namespaced ? namespaceName : null };
        var list = await client.For<T>().ListAsync(options, stopping);
        return list.Items.Select(item => item.Metadata.Name).Order(StringComparer.Ordinal).ToList();
    }

    public async Task<CliException> NotFoundAsync<T>(string name, CancellationToken stopping)
        where T : Resource, IResource<T>
    {
        var place = T.Type.Namespaced ? $" in namespace {namespaceName}" : "";
        var nearest = NearestName.Of(name, await NamesAsync<T>(stopping));
        var advice = nearest is null ? "" : $" Did you mean '{nearest}'?";
        return new CliException($"There is no {T.Type.Kind} '{name}'{place}.{advice}", ExitCodes.NotFound);
    }

    /// <summary>
    /// An object now and after each change; null once it is gone, which is the end. A broken watch is opened again, and
    /// a change that repeats what was told is left out.
    /// </summary>
    public async IAsyncEnumerable<T?> FollowAsync<T>(string name, [EnumeratorCancellation] CancellationToken stopping)
        where T : Resource, IResource<T>
    {
        var resources = client.For<T>();
        var options = new ListOptions { Namespace = T.Type.Namespaced ? namespaceName : null, FieldSelector = $"metadata.name={name}" };
        string? told = null;
        while (true)
        {
            var list = await resources.ListAsync(options, stopping);
            if (list.Items.Count == 0)
            {
                yield return null;
                yield break;
            }

            if (list.Items[0].Metadata.ResourceVersion != told)
            {
                told = list.Items[0].Metadata.ResourceVersion;
                yield return list.Items[0];
            }

            await foreach (var change in ChangesAsync(resources, options, list.Metadata.ResourceVersion, stopping))
            {
                told = change.Object.Metadata.ResourceVersion;
                yield return change.Kind == ResourceEventKind.Deleted ? null : change.Object;
                if (change.Kind == ResourceEventKind.Deleted)
                {
                    yield break;
                }
            }

            await Task.Delay(WatchAgainDelay, environment.Clock, stopping);
        }
    }

    public void Dispose() => client.Dispose();

    /// <summary>The events of one watch; ends without an error when it breaks or its history is gone: the caller lists again.</summary>
    private static async IAsyncEnumerable<ResourceEvent<T>> ChangesAsync<T>(
        ResourceClient<T> resources, ListOptions options, string resourceVersion, [EnumeratorCancellation] CancellationToken stopping)
        where T : Resource, IResource<T>
    {
        await using var changes = resources.WatchAsync(options, resourceVersion, stopping).GetAsyncEnumerator(stopping);
        while (true)
        {
            try
            {
                if (!await changes.MoveNextAsync())
                {
                    yield break;
                }
            }
            catch (Exception error) when (error is ApiException { IsExpired: true } or ClusterUnreachableException or IOException or HttpRequestException)
            {
                yield break;
            }

            if (changes.Current.Kind != ResourceEventKind.Bookmark)
            {
                yield return changes.Current;
            }
        }
    }
}
