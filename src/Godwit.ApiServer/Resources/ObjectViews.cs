using Godwit.ApiServer.Requests;

namespace Godwit.ApiServer.Resources;

/// <summary>Makes the view that a client chose.</summary>
internal static class ObjectViews
{
    public static ObjectView For(BodyView chosen, ServedResource resource, ApiRequest request) => chosen switch
    {
        BodyView.MetadataOnly => new MetadataView(),
        BodyView.Table => throw StatusException.NotAcceptable("tables are not served yet"),
        _ => new WholeView(resource),
    };
}
